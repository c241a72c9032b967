"""Keys of known shapes are masked, whatever stands before them; ordinary text, ids and base64 are not."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.redact import MASKED, mask
from llm_simulator.redact.placeholder import placeholder

A20 = "aB3dE5gH7jK9mN1pQ3sT"
A40 = A20 + A20

KEYS = {
    "openai": f"sk-{A40}{A20[:8]}",
    "openai project": f"sk-proj-{A20}_{A20}-T3BlbkFJ{A20}",
    "openai service account": f"sk-svcacct-{A40}",
    "openai admin": f"sk-admin-{A40}",
    "openai session": f"sess-{A40}",
    "openai client secret": f"ek_{A40}",
    "anthropic": f"sk-ant-api03-{A40}-{A20}AA",
    "openrouter": "sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "deepseek": "sk-0123456789abcdef0123456789abcdef",
    "google api": "AIzaSy" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "google oauth": f"ya29.a0{A40}",
    "google refresh": f"1//0g{A40}",
    "google client secret": f"GOCSPX-{A20}",
    "azure 84": f"{A40}AbCdEfGhIjKlJQQJ99{A20}ABCDEF",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws temporary id": "ASIAIOSFODNN7EXAMPLE",
    "bedrock": "ABSK" + A40 + A40 + "==",
    "groq": f"gsk_{A40}{A20[:12]}",
    "xai": f"xai-{A40}{A40}",
    "hugging face": f"hf_{A20}abcdefghijklmn",
    "replicate": f"r8_{A20}abcdefghijklmnopq",
    "perplexity": f"pplx-{A40}abcdefgh",
    "fireworks": f"fw_{A20}abcd",
    "cerebras": f"csk-{A40}",
    "nvidia": f"nvapi-{A40}",
    "langsmith": f"lsv2_pt_{A20}_0123456789",
    "tavily": f"tvly-dev-{A20}",
    "voyage": f"pa-{A40}_x1",
    "stripe": f"sk_live_{A20}",
    "github": f"ghp_{A20}abcdefghijklmnop",
    "github fine-grained": f"github_pat_{A20}_{A40}",
    "gitlab": f"glpat-{A20}",
    "slack": "xoxb-123456789012-abcdefABCDEF",
    "npm": f"npm_{A20}abcdefghijklmnop",
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n0Z3VS5JJcds3xfn=\n-----END RSA PRIVATE KEY-----",
    "pem in json": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END PRIVATE KEY-----\\n",
}

AROUND = [
    ("", ""),
    ("key: ", "."),
    ('"', '"'),
    ("=", "&x=1"),
    ("(", ")"),
    ("\\n", "\\n"),
    ("%3D", "%26"),
    ("\\u003d", " "),
]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_masked_wherever_it_stands(name: str) -> None:
    for before, after in AROUND:
        _masked_between(KEYS[name].removesuffix("\\n"), before, after)


def _masked_between(key: str, before: str, after: str) -> None:
    masked = mask(before + key + after)
    assert masked.replace("_", "").replace("REDACTED", "") in (
        (before + after).replace("_", ""),
        (before + after).replace("_", "").removesuffix("."),  # a key may end with a full stop
    )
    assert len(masked) == len(before + key + after)
    assert mask(masked) == masked


ASSIGNED = [
    ("AZURE_OPENAI_API_KEY=", "0123456789abcdef0123456789abcdef", "\n"),
    ("export CO_API_KEY='", A40, "'"),
    ('client = Mistral(api_key="', "abcdefghij0123456789abcdefghij01", '")'),
    ('{"aws_secret_access_key": "', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE1AB", '"}'),
    ("secretAccessKey: ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE1AB", ""),
    ("Authorization: Bearer ", "abcdefghijklmnop1", "\r\n"),
    ("bearer ", "0123456789abcdef", ""),
    ("Basic ", "dXNlcjpodW50ZXIyaHVudGVyMg==", ""),
    ("postgresql://user:", "s3cr3t-pa55", "@db.internal/x"),
    ("https://b.s3.amazonaws.com/k?X-Amz-Security-Token=", "IQoJb3JpZ2luX2VjEJf1", "&X-Amz-Expires=60"),
    ("https://api.x.ai/v1?api_key=", "abcdef0123456789", ""),
    ("https://h/?a=b\\u0026access_token=", "abcdef0123456789", ""),
]


@pytest.mark.parametrize(("before", "secret", "after"), ASSIGNED)
def test_a_value_is_masked_by_what_stands_beside_it(before: str, secret: str, after: str) -> None:
    assert mask(before + secret + after) == before + placeholder(len(secret)) + after


ORDINARY = [
    "https://x.blob.core.windows.net/a?se=2026&sig=abc123%2Bdef456ghi789%3D&sp=r",
    "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=0123456789abcdef0123456789abcdef",
    "chatcmpl-C3jbUwbTXnP0FGM2nH0h5hQpz1cX8",
    "req_c6713bbdac8d4639a5ea09cb6c5eb5a9",
    "call_HqKFRTvBVZPhGcSZVWZ0hn5V toolu_01T1x1fJ34qAmk2tNTrN7Up6 msg_01XFDUDYJgAACzvnptvVoYEL",
    "resp_08ddf351751647d60169fab1b8a7ac81a081b9e2400e87fb63 file-abc123abc123abc123abc123 asst_abc123abc123",
    "task-force-management-system-for-2026-planning desk-abcdefghijklmnopqrstuvwx risk-0123456789abcdef0123",
    "<div class='sk-fading-circle-container'><i class='sk-child-element-of-circle'></i></div>",
    "sk-simulated-key",
    "Basic understanding of Basic authentication and basic characteristics",
    "Bearer authentication-is-explained-here and Bearer tokens",
    '"signature": "EqQBCkgIARABGAIiQEqQBCkgIARABGAIiQEqQBCkgIARABGAIiQ1"',
    '"prompt_cache_key": "0123456789abcdef0123456789abcdef"',
    '"pageToken": "0123456789abcdef0123456789abcdef"',
    '"max_tokens": 12345678901234567890123456789012',
    '"sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"',
    "http://localhost:8080/v1/chat/completions and mail to someone@example.com",
    "https://example.com/path?page=1234567890123456&q=abcdef0123456789",
    "550e8400-e29b-41d4-a716-446655440000",
    "AKIA is a prefix, AIza too, and eyJ starts base64 of JSON; sk- is short",
    "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA\n-----END CERTIFICATE-----",
    "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 40).decode(),
    "x" * 30 + "AIza" + "x" * 40 + "/" + "AKIAIOSFODNN7EXAMPLE" + "abc" + "+AIza" + "y" * 60 + "==",
    "gAAAAABo-sk-" + A40 + "_sk-" + A40,
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert mask(text) == text
    assert mask(json.dumps({"content": text})) == json.dumps({"content": text})


def test_json_stays_json() -> None:
    value = {f"field {name}": ["before\n" + key, {"x": key + " after"}] for name, key in KEYS.items()}
    masked = json.loads(mask(json.dumps(value)))
    assert masked.keys() == value.keys()
    assert not any(key[4:20] in json.dumps(masked) for key in KEYS.values())


def test_a_placeholder_that_completes_a_shape_is_masked_too() -> None:
    text = f"sk-ya29.{A40}"  # the mask of the inner key makes the outer one long enough
    assert mask(mask(text)) == mask(text)
    assert A20 not in mask(text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(sorted(KEYS.values())),
            st.sampled_from(["sk-", "Bearer ", "_", "-", "\\n", '"api_key": "', "://u:", "@h", "REDACTED", "=", " "]),
            st.text(max_size=12),
        ),
        max_size=8,
    ).map("".join)
)
def test_masking_is_idempotent_and_keeps_the_length(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    assert mask(masked) == masked


@pytest.mark.parametrize("length", range(30))
def test_placeholder(length: int) -> None:
    made = placeholder(length)
    assert len(made) == length
    assert (MASKED.fullmatch(made) is not None) is (length >= 8)
    assert json.loads(f'"{made}"') == made
