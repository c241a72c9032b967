"""Which names say that their value is a credential: of headers, query parameters, JSON members, variables."""

from __future__ import annotations

import re
from functools import lru_cache

_HEADER_TEXT = """
authorization proxy-authorization x-api-key api-key apikey x-goog-api-key xi-api-key ocp-apim-subscription-key
cookie set-cookie cookie2 set-cookie2 x-amz-security-token x-goog-iam-authorization-token x-forwarded-access-token
openai-organization openai-project anthropic-organization-id x-goog-user-project anthropic-workspace-id
x-goog-authenticated-user-email x-goog-authenticated-user-id x-goog-iap-jwt-assertion x-ms-client-principal
x-ms-client-principal-id x-ms-client-principal-name
"""
_HEADERS = frozenset(_HEADER_TEXT.split())
"""Credentials, and the names of the account that they belong to."""

_NOT_HEADER_TEXT = """
idempotency-key x-idempotency-key sec-websocket-key sec-websocket-accept cache-key x-cache-key surrogate-key
x-surrogate-key www-authenticate proxy-authenticate x-ratelimit-key x-llm-simulator-session
"""
_NOT_HEADERS = frozenset(_NOT_HEADER_TEXT.split())

_PART_TEXT = """
key keys apikey token secret secrets auth authorization authentication credential credentials password passwd
passphrase cookie cookies signature bearer jwt assertion
"""
_HEADER_PARTS = frozenset(_PART_TEXT.split())

_COUNTS = re.compile(r"ratelimit|rate-limit|token-count|-tokens?-(?:limit|remaining|reset|count|cost|usage)$")

_PARAMETER_TEXT = """
key api_key apikey api-key x-api-key access_token refresh_token id_token auth_token token sig signature code
client_secret client_assertion assertion password passwd secret auth authorization subscription-key subscription_key
awsaccesskeyid jwt session_token security_token sas x-goog-signature x-goog-credential googleaccessid key-pair-id
"""
_PARAMETERS = frozenset(_PARAMETER_TEXT.split())

_KEYS = (
    "api|access|secret|private|subscription|auth|encryption|signing|master|service|account|admin|client|shared|ssh|pgp"
)
_TOKENS = (
    "access|refresh|id|auth|authorization|session|security|bearer|api|secret|bot|oauth|jwt|csrf|xsrf|github|gitlab|slack"
    "|hf|huggingface|admin|private|personal|service|deploy|registry|identity"
)
_MEMBER = re.compile(
    rf"(?:.*_)?(?:(?:{_KEYS})_?key|(?:{_TOKENS})_?token|secret|password|passwd|passphrase|authorization|credentials?"
    r"|connection_string|client_assertion|set_cookie)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VARIABLE = re.compile(
    r"(?:.*_)?(?:[A-Z0-9]*KEY|[A-Z0-9]*TOKEN|[A-Z0-9]*SECRET|[A-Z0-9]*PASSWORD|[A-Z0-9]*PASSWD|PASSPHRASE|CREDENTIALS?"
    r"|AUTHORIZATION|BEARER|JWT)S?(?:_.*)?"
)

_SHOUTED = re.compile(r"[A-Z0-9_]*_(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)")


@lru_cache(maxsize=4096)
def credential_header(name: str) -> bool:
    """Whether the value of this header is replaced: well-known names, and any name with a part such as key or token."""
    name = name.lower()
    if name in _HEADERS:
        return True
    if name in _NOT_HEADERS or name.startswith("access-control-") or _COUNTS.search(name):
        return False
    return not _HEADER_PARTS.isdisjoint(re.split(r"[-_.]", name))


@lru_cache(maxsize=4096)
def credential_parameter(name: str) -> bool:
    """Whether the value of this query parameter (or form field) is a credential, a signature included."""
    name = name.lower()
    return name in _PARAMETERS or name.startswith("x-amz-") or secret_member(name)


def secret_member(name: str) -> bool:
    """Whether the text value of this JSON member is a secret.

    `token` and `key` alone are not: log-probabilities and tools use them for ordinary text. Nor are page tokens,
    cache keys and the signatures of thinking blocks.
    """
    return _MEMBER.fullmatch(_CAMEL.sub("_", name).lower().replace("-", "_").replace(".", "_")) is not None


@lru_cache(maxsize=1024)
def secret_variable(name: str) -> bool:
    """Whether an environment variable's name says that its value is a secret (...KEY, ...TOKEN, ...SECRET, ...)."""
    return _VARIABLE.fullmatch(_CAMEL.sub("_", name).upper()) is not None


def named_assignment(name: str) -> bool:
    """Whether text like `NAME=value` or `name: value` assigns a secret: a member's name, or NAME_KEY in capitals."""
    return _SHOUTED.fullmatch(name) is not None or secret_member(name)
