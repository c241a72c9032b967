"""Names of encodings, counts and their cache, and the cutting of text into tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.tokens import count, decode, encode, encoding_name, encodings, split, warm


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("gpt-5-codex", "o200k_base"),
        ("codex-mini-latest", "o200k_base"),
        ("o1", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-audio", "o200k_base"),
        ("gpt-6", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("gpt-4-1106-vision-preview", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-instruct", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("text-embedding-ada-002-v2", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
        ("babbage-002", "cl100k_base"),
        ("davinci:2023-07-21-v2", "cl100k_base"),
        ("text-davinci-003", "p50k_base"),
        ("code-davinci-002", "p50k_base"),
        ("text-davinci-001", "r50k_base"),
        ("text-search-ada-doc-001", "r50k_base"),
        ("code-search-ada-code-001", "r50k_base"),
        ("davinci", "r50k_base"),
        ("ada", "r50k_base"),
        ("gpt2", "r50k_base"),
        ("ft:gpt-4o-mini:acme::8x", "o200k_base"),
        ("ft:gpt-3.5-turbo:acme::8x", "cl100k_base"),
        ("openai/gpt-4.1", "o200k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("claude-opus-4", "o200k_base"),
        ("gemini-2.5-flash", "o200k_base"),
        ("text-embedding-004", "o200k_base"),
        ("adapter", "o200k_base"),
        ("", "o200k_base"),
        ("p50k_base", "p50k_base"),
    ],
)
def test_encoding_of_a_model(model: str, name: str) -> None:
    assert encoding_name(model) == name


@pytest.mark.parametrize(
    ("text", "model", "tokens"),
    [
        ("", "gpt-4o", 0),
        ("hello world", "gpt-4o", 2),
        ("hello world", "gpt-4", 2),
        ("<|endoftext|>", "gpt-4", 7),  # ordinary text, not one special token
        ("Привет, мир", "gpt-4o", 4),
        ("Привет, мир", "gpt-4", 6),
        ("\ud800", "gpt-4o", 1),  # counted as U+FFFD
    ],
)
def test_count(text: str, model: str, tokens: int) -> None:
    assert count(text, model) == tokens
    assert count(text, model) == tokens  # from the cache
    assert len(encode(text, model)) == tokens


def test_a_model_and_its_encoding_count_alike() -> None:
    text = "the same text " * 40
    assert count(text, "gpt-4o") == count(text, "o200k_base") == 121


def test_the_cache_forgets_what_was_not_asked_for_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "_GENERATION", 3)
    monkeypatch.setattr(encodings, "_young", {})
    monkeypatch.setattr(encodings, "_old", {})
    for number in range(20):
        assert count(f"{number}", "gpt-4o") == 1
        assert count("asked for again and again", "gpt-4o") == 5
        assert len(vars(encodings)["_young"]) <= 3
        assert len(vars(encodings)["_old"]) <= 3
    known = {key[1] for name in ("_young", "_old") for key in vars(encodings)[name]}
    assert "asked for again and again" in known
    assert "0" not in known


def test_a_long_text_is_kept_by_digest() -> None:
    text = "long " * 100
    assert count(text, "gpt-4o") == 101
    keys = [key[1] for name in ("_young", "_old") for key in vars(encodings)[name]]
    assert text not in keys


def test_a_million_blanks_are_counted() -> None:
    tokens = encode(" " * 1_100_000 + "x", "gpt-4o")
    assert decode(tokens, "gpt-4o") == " " * 1_100_000 + "x"
    assert 8_500 < len(tokens) < 8_700


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ()),
        ("It is raining.", ("It", " is", " raining", ".")),
        ("naïve", ("na", "ï", "ve")),
        ("x 🧑🏽‍🚀!", ("x", " 🧑", "🏽", "\u200d", "🚀", "!")),  # cut tokens are joined to whole characters
        ("a\ud800b\udfff", ("a", "\ud800", "b", "\udfff")),
    ],
)
def test_split(text: str, pieces: tuple[str, ...]) -> None:
    assert split(text, "gpt-4") == pieces


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_split_loses_nothing_and_cuts_no_character(text: str) -> None:
    pieces = split(text, "gpt-4o")
    assert "".join(pieces) == text
    assert all(pieces)
    assert len(pieces) <= len(encode(text, "gpt-4o"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=50, deadline=None)
def test_decode_undoes_encode(text: str) -> None:
    assert decode(encode(text, "gpt-4o"), "gpt-4o") == text


def test_an_encoding_is_loaded_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: dict[str, object] = {}
    monkeypatch.setattr(encodings, "_loaded", loaded)
    seen: list[object] = []

    def ask(_: int) -> None:
        warm("davinci")
        seen.append(loaded["r50k_base"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert len({id(encoding) for encoding in seen}) == 1
    assert list(loaded) == ["r50k_base"]
