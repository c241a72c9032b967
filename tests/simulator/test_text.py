"""Generated text: exact numbers of tokens, whole sentences, the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from llm_simulator import tokens
from llm_simulator.simulator.corpus import BLOCKS, TOPICS
from llm_simulator.simulator.rng import DeterministicRng, keyed
from llm_simulator.simulator.text import TextWriter, chain, for_model

MODELS = ("gpt-4o", "gpt-4-turbo", "text-davinci-003", "davinci", "claude-sonnet-4-5")


def rng(*parts: str | int) -> DeterministicRng:
    return DeterministicRng(keyed(11, *parts))


@pytest.mark.parametrize("model", MODELS)
def test_a_limit_is_met_to_the_token(model: str) -> None:
    for limit in (*range(40), 63, 64, 65, 100, 127, 128, 200, 333, 500, 1000, 4096):
        for place in range(6):
            written = for_model(model).write(rng("limit", limit, place), 10_000, limit)
            assert written.cut
            assert written.tokens == limit == tokens.count(written.text, model)


@pytest.mark.parametrize("model", MODELS)
def test_lorem_is_as_exact(model: str) -> None:
    writer = for_model(model, "lorem")
    for limit in (1, 2, 3, 7, 50, 333):
        written = writer.write(rng("lorem", limit), 10_000, limit)
        assert written.tokens == limit == tokens.count(written.text, model)
    for target in range(1, 200, 7):
        written = writer.write(rng("lorem target", target), target)
        assert target <= written.tokens == tokens.count(written.text, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_target_ends_as_a_sentence(model: str) -> None:
    for target in range(1, 400, 3):
        written = for_model(model).write(rng("target", target), target)
        assert not written.cut
        assert written.text[-1] in ".?!"
        assert target <= written.tokens == tokens.count(written.text, model)


def test_a_limit_beyond_the_target_changes_nothing() -> None:
    free = for_model("gpt-4o").write(rng("x"), 50)
    assert for_model("gpt-4o").write(rng("x"), 50, free.tokens) == free
    cut = for_model("gpt-4o").write(rng("x"), 50, free.tokens - 1)
    assert cut.cut
    assert cut.tokens == free.tokens - 1


def test_nothing_is_a_text_of_no_tokens() -> None:
    writer = for_model("gpt-4o")
    assert writer.write(rng(), 100, 0).pieces == ()
    assert writer.write(rng(), 100, 0).cut
    assert not writer.write(rng(), 0, 10).cut
    assert writer.write(rng(), 0, 10).tokens == 0


def test_a_seed_decides() -> None:
    writer = for_model("gpt-4o")
    assert writer.write(rng(1), 200) == TextWriter("o200k_base").write(rng(1), 200)
    assert len({writer.write(rng(seed), 60).text for seed in range(300)}) == 300


def test_models_of_one_encoding_share_a_writer() -> None:
    assert for_model("gpt-4o") is for_model("gpt-4.1-mini")
    assert for_model("gpt-4o") is not for_model("gpt-4-turbo")


def words_in_context() -> Iterator[str]:
    for topic in TOPICS.values():
        yield " ".join(topic.split())


@pytest.mark.parametrize("model", MODELS)
def test_tokens_of_words_are_the_tokens_of_the_text(model: str) -> None:
    """What the writer leans on: no token joins two words, for the whole corpus."""
    writer = for_model(model)
    for text in words_in_context():
        words = text.split(" ")
        units = [writer.unit(word if place == 0 else " " + word) for place, word in enumerate(words)]
        assert sum(unit.size for unit in units) == tokens.count(text, model)
        assert tuple(piece for unit in units for piece in unit.pieces) == tokens.split(text, model)


@pytest.mark.parametrize("model", MODELS)
def test_tokens_of_blocks_are_the_tokens_of_the_text(model: str) -> None:
    writer = for_model(model)
    for first in BLOCKS:
        for second in (*BLOCKS, "Then."):
            text = f"Before.\n\n{first}\n\n{second}"
            units = [writer.unit("Before.\n\n"), writer.unit(first + "\n\n"), writer.unit(second)]
            assert sum(unit.size for unit in units) == tokens.count(text, model)
            assert "".join(piece for unit in units for piece in unit.pieces) == text


def test_weights_say_how_many_tokens_a_piece_holds() -> None:
    unit = for_model("gpt-4-turbo").unit(" 日本語では「一期一会」と言います。🍜")
    assert sum(unit.weights) == unit.size == tokens.count("".join(unit.pieces), "gpt-4-turbo")
    assert len(unit.pieces) < unit.size


def test_text_is_of_the_corpus_and_varied() -> None:
    texts = [for_model("gpt-4o").write(rng("varied", seed), 600).text for seed in range(40)]
    joined = "\n\n".join(texts)
    assert re.search(r"^## ", joined, re.MULTILINE)
    assert re.search(r"^- ", joined, re.MULTILINE)
    assert "```python\n" in joined
    assert "東京" in joined or "日本語" in joined
    words = set(" ".join(TOPICS.values()).split())
    plain = [line for line in texts[0].split("\n") if re.match(r"[A-Z].*[.?!]$", line)]
    assert plain
    assert all(word in words for line in plain for word in line.split())


def test_a_text_does_not_begin_two_sentences_in_a_row_alike() -> None:
    for seed in range(50):
        text = for_model("gpt-4o").write(rng("starts", seed), 300).text
        starts = [" ".join(line.split()[:4]) for line in re.split(r"(?<=[.?!])\s", text) if line]
        assert all(one != other for one, other in pairwise(starts))


def test_every_sentence_comes_to_its_end() -> None:
    states = chain()
    for start in range(len(states.words)):
        at, steps = start, 0
        while states.follow[at]:
            at, steps = states.nearest[at], steps + 1
        assert steps < 40


def test_the_corpus_is_sentences() -> None:
    sentences = sum(len(starts) for starts in chain().starts)
    assert sentences >= 180
    assert all(len(set(starts)) > 8 for starts in chain().starts)
