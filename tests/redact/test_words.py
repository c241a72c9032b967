"""Words are cut the same way in small and large texts; only base64 stays in one piece."""

from __future__ import annotations

import base64

from llm_simulator.redact import Redactor, mask
from llm_simulator.redact.words import Words

KEY = "sk-proj-aB3dE5gH7jK9mN1pQ3sT"
BLOB = base64.b64encode(bytes(range(256)) * 500).decode()


def test_words() -> None:
    cut = Words('{"api_key": "abcdefghijklmnopqrstuvwxyz0123456789", "x": "é-b"} a/b a')
    assert sorted(cut.text().split("\n")) == ["-b", "a", "abcdefghijklmnopqrstuvwxyz0123456789", "api_key", "b", "x"]
    assert cut.heads == "abcdefghijklmnopqrstuvwxyz"
    assert cut.secret_names


def test_names_that_end_like_secrets() -> None:
    assert not Words('"monkey" "spoken" "password_hint" "version" "basking"').secret_names
    for name in ("API_KEY", "apiKey", "AccessToken", "client_secret", "dbPassword", "CREDENTIALS", "Authorization"):
        assert Words(f'"{name}"').secret_names, name


def test_a_large_text_with_an_image() -> None:
    text = f'{{"image": "{BLOB}", "text": "a/{KEY} b", "path": "x/y"}}'
    cut = Words(text)
    assert BLOB.rstrip("=") in cut.text().split("\n")
    assert "y" in cut.text().split("\n")
    assert mask(text) == text.replace(KEY, "REDACTED".ljust(len(KEY), "_"))


def test_a_value_in_a_large_text() -> None:
    redactor = Redactor({"A_TOKEN": "zzz-yyy-xxx-1"})
    assert redactor.text(f"{BLOB} zzz-yyy-xxx-1") == f"{BLOB} REDACTED_____"
