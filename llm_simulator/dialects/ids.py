"""Ids, dates and digests as providers spell them, all functions of what the answer is made from."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b, shake_256

from llm_simulator.types import Call, Completion, Condition, Headers, header

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
HEX = "0123456789abcdef"
_DIGITS = 10  # drawn at a time: numbers of one machine word are quicker to divide
_RAW = re.compile(r"[0-9a-f]{32,}")
_START = re.compile(r"[a-z]+[-_]")


def is_raw(identity: str) -> bool:
    """Whether an id is raw material from the engine (then a provider's id is derived) or was read from a recording."""
    return not identity or _RAW.fullmatch(identity) is not None


def marked(identity: str, completion: Completion) -> str:
    """An answer's id as it is shown: "chatcmpl-..." is "chatcmpl-sim-..." where answers are labelled in their bodies."""
    if not completion.labelled:
        return identity
    start = _START.match(identity)
    prefix, sign = (start[0], start[0][-1]) if start else ("", "-")
    return f"{prefix}sim{sign}{identity[len(prefix) :]}"


def marked_model(model: str, completion: Completion) -> str:
    """An answer's model as it is shown: "gpt-4o" is "gpt-4o-simulated" where answers are labelled in their bodies."""
    return f"{model}-simulated" if completion.labelled else model


def digest(seed: str, purpose: str, size: int = 16) -> bytes:
    return blake2b(f"{purpose}\0{seed}".encode("utf-8", "surrogatepass"), digest_size=size).digest()


def code(seed: str, purpose: str, length: int, alphabet: str = BASE58) -> str:
    """`length` characters of `alphabet`, a function of seed and purpose: the digits of a number, lowest first."""
    drawn = digest(seed, purpose, 32)
    if alphabet == HEX and length <= 2 * len(drawn):
        return drawn.hex()[: -length - 1 : -1]
    number, base, code = int.from_bytes(drawn, "big"), len(alphabet), ""
    for at in range(0, length, _DIGITS):
        number, few = divmod(number, base**_DIGITS)
        for _ in range(min(_DIGITS, length - at)):
            few, index = divmod(few, base)
            code += alphabet[index]
    return code


def uuid(seed: str, purpose: str) -> str:
    """A version 4 UUID (RFC 9562, 5.4)."""
    drawn = bytearray(digest(seed, purpose))
    drawn[6] = drawn[6] & 0x0F | 0x40
    drawn[8] = drawn[8] & 0x3F | 0x80
    text = drawn.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def base64url(seed: str, purpose: str, size: int) -> str:
    return urlsafe_b64encode(digest(seed, purpose, size)).rstrip(b"=").decode()


def sealed(seed: str, purpose: str, size: int) -> str:
    """`size` bytes that nobody can read, in base64: what stands for an encrypted message (the real ones begin with E)."""
    drawn = shake_256(f"{purpose}\0{seed}".encode("utf-8", "surrogatepass")).digest(size - 1)
    return b64encode(b"\x12" + drawn).decode()


def of_refusal(condition: Condition, call: Call) -> str:
    """The seed of a refusal's ids: what was asked and what was wrong."""
    return (
        digest(call.raw.target, f"{condition.name}\0{condition.message}").hex() + digest(repr(call.raw.body), "").hex()
    )


@lru_cache(64)
def rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded_at(headers: Headers) -> int:
    """The second that a recorded answer's `date` header names; 0 where it has none."""
    try:
        return int(parsedate_to_datetime(header(headers, "date")).timestamp())
    except (ValueError, TypeError, OverflowError):
        return 0
