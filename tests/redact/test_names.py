"""Names that say credential, and names that only look like it."""

from __future__ import annotations

import pytest

from llm_simulator.redact.names import (
    credential_header,
    credential_parameter,
    named_assignment,
    secret_member,
    secret_variable,
)


@pytest.mark.parametrize(
    "name",
    """Authorization Proxy-Authorization x-api-key X-API-Key api-key x-goog-api-key xi-api-key Ocp-Apim-Subscription-Key
    Cookie set-cookie x-amz-security-token OpenAI-Organization openai-project anthropic-organization-id
    x-goog-user-project X-Custom-Auth-Token x-my-secret x_service_password helicone-auth x-portkey-api-key
    x-goog-iap-jwt-assertion x-vault-token""".split(),  # noqa: SIM905  # a list of words reads as one
)
def test_credential_headers(name: str) -> None:
    assert credential_header(name)


@pytest.mark.parametrize(
    "name",
    """content-type x-request-id request-id idempotency-key sec-websocket-key www-authenticate x-ratelimit-limit-tokens
    x-ratelimit-remaining-tokens anthropic-ratelimit-input-tokens-reset x-amzn-bedrock-input-token-count num_tokens
    x-generated-tokens access-control-allow-credentials access-control-allow-headers openai-version x-stainless-lang
    anthropic-beta x-llm-simulator-session user-agent x-prompt-tokens x-ratelimit-tokens-query-cost cf-ray
    azureml-model-session openai-model x-robots-tag traceparent""".split(),  # noqa: SIM905
)
def test_other_headers(name: str) -> None:
    assert not credential_header(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("key", True),
        ("API_KEY", True),
        ("access_token", True),
        ("token", True),
        ("sig", True),
        ("X-Amz-Signature", True),
        ("x-amz-date", True),
        ("code", True),
        ("client_secret", True),
        ("subscription-key", True),
        ("pageToken", False),
        ("page_token", False),
        ("after", False),
        ("alt", False),
        ("api-version", False),
        ("$alt", False),
    ],
)
def test_parameters(name: str, expected: bool) -> None:
    assert credential_parameter(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("api_key", True),
        ("apiKey", True),
        ("openaiApiKey", True),
        ("x-api-key", True),
        ("access_token", True),
        ("refreshToken", True),
        ("authorization_token", True),
        ("client_secret", True),
        ("password", True),
        ("dbPassword", True),
        ("Authorization", True),
        ("secretAccessKey", True),
        ("SessionToken", True),
        ("private_key", True),
        ("token", False),
        ("key", False),
        ("max_tokens", False),
        ("nextPageToken", False),
        ("eos_token", False),
        ("prompt_cache_key", False),
        ("idempotency_key", False),
        ("signature", False),
        ("thoughtSignature", False),
        ("encrypted_content", False),
        ("secretary", False),
    ],
)
def test_members(name: str, expected: bool) -> None:
    assert secret_member(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OPENAI_API_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("GITHUB_TOKEN", True),
        ("DB_PASSWORD", True),
        ("MYPASSWORD", True),
        ("OPENAIKEY", True),
        ("WEBHOOK_SECRET_V2", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("apiKey", True),
        ("KEYCLOAK_URL", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("PATH", False),
        ("PWD", False),
        ("SSH_AUTH_SOCK", False),
        ("HOME", False),
    ],
)
def test_variables(name: str, expected: bool) -> None:
    assert secret_variable(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"), [("AZURE_KEY", True), ("api_key", True), ("KEY", False), ("Sort_KEY", False)]
)
def test_assignments(name: str, expected: bool) -> None:
    assert named_assignment(name) is expected
