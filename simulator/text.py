"""Text that looks like text, an exact number of tokens long, without running the tokenizer per answer.

A second-order Markov chain over the words of the corpus picks the words. Each word is tokenised once per encoding, with
the space before it: there the tokenizers' own pre-split falls, so that tokens never join across two words and those of
the whole text are those of its words. Only where a limit cuts into a word is the cut checked, once per word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from llm_simulator import tokens
from llm_simulator.simulator.corpus import BLOCKS, LOREM, TOPICS
from llm_simulator.simulator.rng import DeterministicRng

STAY = 0.85  # the chance that the next sentence is on the topic of the last one
BLOCK = 0.2  # the chance that a block (list, heading, code) stands before a paragraph
SENTENCE_WORDS = 40
"""After so many words a sentence takes the shortest way to its end: spliced sentences may run in circles."""
_ENDS = (".", "?", "!")
_BREAK = "\n\n"
_RECENT = 8  # less than the sentences of any topic
_FILLERS = ("the", "a", "and", "of", "in", "to")


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or block as the pieces it is streamed in; `size` is its number of tokens, `weights` those of each."""

    pieces: tuple[str, ...]
    weights: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """Generated text as pieces, the number of its tokens, and whether the limit cut it off."""

    pieces: tuple[str, ...]
    tokens: int
    cut: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Chain:
    """Which word may follow which two: states are numbers, `follow` is empty at the end of a sentence."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.words: list[str] = []
        self.follow: list[tuple[int, ...]] = []
        self.starts: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        followers: dict[int, list[int]] = {}
        for topic in topics:
            heads: list[int] = []
            previous, start = "", True
            state = -1
            for word in topic.split():
                # A first word is a state of its own, or every "The" would lead to any sentence that begins so.
                following = self._number(f" {len(self.words)}" if start else previous, word)
                if start:
                    heads.append(following)
                else:
                    followers.setdefault(state, []).append(following)
                previous, state, start = word, following, word.endswith(_ENDS)
            self.starts.append(tuple(heads))
        self.follow = [() if word.endswith(_ENDS) else tuple(followers[at]) for at, word in enumerate(self.words)]
        self.nearest = self._nearest()

    def _number(self, previous: str, word: str) -> int:
        key = (previous, word)
        if key not in self._numbers:
            self._numbers[key] = len(self.words)
            self.words.append(word)
        return self._numbers[key]

    def _nearest(self) -> list[int]:
        """For each state the follower that is nearest to an end of a sentence (itself at an end)."""
        before: dict[int, list[int]] = {}
        for state, following in enumerate(self.follow):
            for after in following:
                before.setdefault(after, []).append(state)
        nearest = list(range(len(self.words)))
        done = {state for state, following in enumerate(self.follow) if not following}
        edge = sorted(done)
        while edge:
            reached: list[int] = []
            for after in edge:
                for state in before.get(after, ()):
                    if state not in done:
                        done.add(state)
                        nearest[state] = after
                        reached.append(state)
            edge = reached
        return nearest


@cache
def chain() -> Chain:
    return Chain(tuple(TOPICS.values()))


@cache
def lorem() -> Chain:
    return Chain(LOREM)


def for_model(model: str, style: str = "markov") -> TextWriter:
    """The writer of a style ("markov" or "lorem") in the encoding of `model`; models of one encoding share it."""
    found = _BY_MODEL.get((model, style))
    return found if found is not None else _of_model(model, style)


_BY_MODEL: dict[tuple[str, str], TextWriter] = {}
_BY_ENCODING: dict[tuple[str, str], TextWriter] = {}
_MODELS = 1024
"""Model names kept: a client may send any number of them."""


def _of_model(model: str, style: str) -> TextWriter:
    name = tokens.encoding_name(model)
    found = _BY_ENCODING.get((name, style))
    if found is None:
        made = TextWriter(name, lorem(), ()) if style == "lorem" else TextWriter(name)
        found = _BY_ENCODING[name, style] = made
    if len(_BY_MODEL) < _MODELS:
        _BY_MODEL[model, style] = found
    return found


class TextWriter:
    """Writes in the tokens of one encoding. Words are tokenised when they are first used, then kept."""

    def __init__(self, encoding: str, words: Chain | None = None, blocks: tuple[str, ...] = BLOCKS) -> None:
        self._model = encoding  # its name stands for a model that has it
        self._chain = words or chain()
        self.blocks = blocks
        self._units: dict[str, Unit] = {}
        self._cuts: dict[tuple[str, int], tuple[str, ...] | None] = {}

    def write(self, rng: DeterministicRng, target: int, limit: int | None = None) -> Written:
        """Whole sentences of at least `target` tokens, or exactly `limit` tokens where that is reached first."""
        room = limit if limit is not None else 1 << 62
        if target <= 0 or room <= 0:
            return Written((), 0, cut=room <= 0 < target)
        return _Pen(self, self._chain, rng, target, room).run()

    def unit(self, text: str) -> Unit:
        """`text` (a word with the space before it, or a block with the break after it) in tokens."""
        found = self._units.get(text)
        if found is None:
            found = self._units[text] = self._tokenise(text)
        return found

    def _tokenise(self, text: str) -> Unit:
        if not text.endswith("\n"):
            pieces, size = tokens.split(text, self._model), tokens.count(text, self._model)
        else:  # older encodings join line breaks at the end of a text, but not before a letter
            *rest, _ = tokens.split(text + "A", self._model)
            pieces, size = tuple(rest), tokens.count(text + "A", self._model) - 1
        if len(pieces) == size:
            return Unit(pieces, (1,) * size, size)
        return Unit(pieces, tuple(tokens.count(piece, self._model) for piece in pieces), size)

    def cut(self, text: str, room: int) -> tuple[str, ...] | None:
        """The first `room` tokens of a unit, or None where the text up to there has another number of tokens."""
        key = (text, room)
        if key not in self._cuts:
            self._cuts[key] = self._cut(self.unit(text), room)
        return self._cuts[key]

    def _cut(self, unit: Unit, room: int) -> tuple[str, ...] | None:
        taken = total = 0
        while total < room and taken < len(unit.pieces):
            total += unit.weights[taken]
            taken += 1
        pieces = unit.pieces[:taken]
        return pieces if total == room == tokens.count("".join(pieces), self._model) else None


class _Pen:
    """One text while it is written."""

    __slots__ = (
        "_begun",
        "_chain",
        "_cut",
        "_pieces",
        "_recent",
        "_rng",
        "_room",
        "_target",
        "_topic",
        "_total",
        "_writer",
    )

    def __init__(self, writer: TextWriter, chain: Chain, rng: DeterministicRng, target: int, room: int) -> None:
        self._writer = writer
        self._chain = chain
        self._rng = rng
        self._target = target
        self._room = room
        self._topic = rng.below(len(chain.starts))
        self._pieces: list[str] = []
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._total = 0
        self._cut = False
        self._begun = False  # whether the current line has a word

    def run(self) -> Written:
        while not self._paragraph():
            pass
        return Written(tuple(self._pieces), self._total, self._cut)

    def _paragraph(self) -> bool:
        """Writes one paragraph; True where the text is at its end."""
        self._begun = False
        blocks = self._writer.blocks
        if blocks and self._rng.next_f64() < BLOCK and self._block(blocks[self._rng.below(len(blocks))] + _BREAK):
            return True
        last = self._rng.below(4)
        return any(self._sentence(closing=_BREAK if place == last else "") for place in range(last + 1))

    def _block(self, text: str) -> bool:
        """Writes a block, or leaves it out where it cannot be cut at the limit; True where the text is at its end."""
        room = self._room - self._total
        fits = self._writer.unit(text).size < room
        return (fits or self._writer.cut(text, room) is not None) and self._add(text)

    def _sentence(self, closing: str) -> bool:
        chain, rng = self._chain, self._rng
        if rng.next_f64() > STAY:
            self._topic = rng.below(len(chain.starts))
        state = self._start(chain.starts[self._topic])
        for count in range(10 * SENTENCE_WORDS):
            word = chain.words[state]
            following = chain.follow[state]
            if not following:
                return self._end(word, closing)
            if self._add(" " + word if self._begun else word):
                return True
            self._begun = True
            if len(following) == 1:
                state = following[0]
            else:
                state = chain.nearest[state] if count > SENTENCE_WORDS else following[rng.below(len(following))]
        raise AssertionError("the nearest way to the end of a sentence does not end")

    def _start(self, starts: tuple[int, ...]) -> int:
        """A first word, and not one of the last few: a text does not begin two sentences alike."""
        place = self._rng.below(len(starts))
        while starts[place] in self._recent:
            place = (place + 1) % len(starts)
        self._recent.append(starts[place])
        return starts[place]

    def _end(self, word: str, closing: str) -> bool:
        text = " " + word if self._begun else word
        self._begun = True
        if self._total + self._writer.unit(text).size >= self._target:
            self._add(text, whole=True)
            return True
        return self._add(text + closing)

    def _add(self, text: str, *, whole: bool = False) -> bool:
        """Adds a unit; True where the limit is reached (a `whole` one may fill it to the last token)."""
        unit = self._writer.unit(text)
        total = self._total + unit.size
        if total < self._room or (whole and total == self._room):
            self._pieces += unit.pieces
            self._total = total
            return False
        self._pieces += self._fill(text, self._room - self._total)
        self._total = self._room
        self._cut = True
        return True

    def _fill(self, text: str, room: int) -> Sequence[str]:
        """Exactly `room` tokens: of the unit where they are stable, else of short words."""
        cut = self._writer.cut(text, room)
        if cut is not None:
            return cut
        words = [_FILLERS[self._rng.below(len(_FILLERS))] for _ in range(room)]
        return [" " + word if self._begun or place else word for place, word in enumerate(words)]
