"""The shipped ranks are tiktoken's, byte for byte, and so are patterns and special tokens."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

import pytest
import tiktoken
import tiktoken_ext.openai_public as upstream  # type: ignore[import-untyped]  # it ships no types

from llm_simulator.tokens import ranks

TEXTS = (
    "",
    "Hello, world! It's 2024-01-02, isn't it?",
    "  indented\n\n\tcode = [1, 22, 333, 4444]  # naïve café\r\n",
    "Grüße 👩‍👩‍👧 中文字符 ไทย <|endoftext|> <|endofprompt|>",
)


@pytest.mark.parametrize("name", ranks.SPECS)
def test_rank_file_is_the_one_that_tiktoken_expects(name: str) -> None:
    assert sha256(ranks.rank_file(name)).hexdigest() == ranks.SPECS[name].sha256


@pytest.mark.parametrize("name", ranks.SPECS)
def test_constants_are_those_of_the_installed_tiktoken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, str] = {}

    def offline(url: str, expected_hash: str) -> dict[bytes, int]:
        asked.update(url=url, expected_hash=expected_hash)
        return {}

    monkeypatch.setattr(upstream, "load_tiktoken_bpe", offline)
    constants = upstream.ENCODING_CONSTRUCTORS[name]()
    assert asked["url"].endswith(f"/{name}.tiktoken")
    assert ranks.SPECS[name].sha256 == asked["expected_hash"]
    assert ranks.SPECS[name].special_tokens == constants["special_tokens"]
    assert ranks.SPECS[name].pattern == constants["pat_str"]


def test_parse_reads_tokens_and_ranks() -> None:
    assert ranks.parse(b"IQ== 0\nIg== 1\nYQo= 7\n") == {b"!": 0, b'"': 1, b"a\n": 7}


@pytest.mark.parametrize("name", ["r50k_base", "cl100k_base"])
def test_an_encoding_without_its_ranks_counts_as_one_with_them(name: str) -> None:
    lean = ranks.build(name)
    spec = ranks.SPECS[name]
    whole = tiktoken.Encoding(
        name,
        pat_str=spec.pattern,
        mergeable_ranks=ranks.parse(ranks.rank_file(name)),
        special_tokens=dict(spec.special_tokens),
    )
    assert [lean.encode_ordinary(text) for text in TEXTS] == [whole.encode_ordinary(text) for text in TEXTS]
    assert [lean.decode(lean.encode_ordinary(text)) for text in TEXTS] == list(TEXTS)
    assert lean.n_vocab == whole.n_vocab
    assert vars(lean)["_mergeable_ranks"] == {}


def test_the_licence_of_the_ranks_is_shipped() -> None:
    text = (files("llm_simulator.tokens") / "LICENSE.tiktoken").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2022 OpenAI, Shantanu Jain\n")
