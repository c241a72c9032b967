"""All rules together on one byte text: what is secret in it, and the text without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from llm_simulator.redact.assemble import Document, Growing, document, documents, find_assembled
from llm_simulator.redact.brokenoff import find_broken_off
from llm_simulator.redact.members import find_fields, find_members, find_parts
from llm_simulator.redact.placeholder import Span, cover, fresh
from llm_simulator.redact.shapes import PASSES, PREFIXES, find_shapes
from llm_simulator.redact.values import Value
from llm_simulator.redact.words import Words

Note = Callable[[str, Span], None]
"""Told of every span that was masked: how it was found ("" or "assembled "), and the span."""

_Find = Callable[[str], list[Span]]


@dataclass(frozen=True)
class Finder:
    """The rules of one redactor, with the values of one exchange. Texts are byte texts (see `values`)."""

    values: tuple[Value, ...] = ()
    extra: tuple[re.Pattern[str], ...] = ()
    broken_off: bool = False  # the text at hand has lost its end

    def knowing(self, more: tuple[Value, ...]) -> Finder:
        """The same rules, with more values to look for."""
        return replace(self, values=self.values + more) if more else self

    def find(self, text: str) -> Iterator[Span]:
        """Secrets by shape, by member name, by value and by the user's patterns; spans may overlap."""
        cut = Words(text)
        yield from find_shapes(text, cut)
        yield from find_members(text, cut)
        vocabulary = cut.text() if self.values else ""
        for value in self.values:
            yield from value.find(text, vocabulary)
        if self.broken_off:
            yield from find_broken_off(text, PREFIXES, self.values)
        for pattern in self.extra:
            group = 1 if pattern.groups else 0
            for match in pattern.finditer(text):
                if match.end(group) > match.start(group) >= 0:
                    yield Span(*match.span(group), "extra pattern")

    def quiet(self, texts: Iterable[str]) -> bool:
        """Whether there is nothing to mask in any of these texts, found out in one go."""
        return not self._plain("\0".join(texts))

    def line(self, text: str, note: Note) -> str:
        """A text that is no body: a header value, a path, a log line."""
        return self._repeat(text, note, self._plain)

    def body(
        self, text: str, note: Note, content_type: str = "", assemble: bool = False, growing: Growing | None = None
    ) -> str:
        """A body, as long as before. `assemble`: look at the joined text of its pieces too (answers, streams).

        `growing` has put them together already, where the body came piece by piece.
        """
        plain = self._by_type(content_type)
        if assemble or "\\u" in text or "\\/" in text:
            return self._both(text, note, plain, lambda now: self._pieced(now, growing if now is text else None))
        return self._repeat(text, note, plain)

    def _pieced(self, text: str, growing: Growing | None) -> list[Span]:
        if growing is not None and growing.quiet(text, self.find):
            return []
        return self._joined(text, documents(text))

    def pieces(self, texts: Sequence[str], note: Note) -> list[str]:
        """Messages that follow one another (WebSocket), each as long as before."""
        edges = _edges(texts)
        whole = self._both(
            "\n".join(texts),
            note,
            self._plain,
            lambda now: self._joined(now, [document(now, *edge) for edge in edges]),
        )
        return [whole[start:end] for start, end in edges]

    def _both(self, text: str, note: Note, plain: _Find, joined: _Find) -> str:
        """The joined text first: where a key's first piece looks like a key itself, masking that would hide the rest."""
        first = self._repeat(text, note, joined, "assembled ")
        done = self._repeat(first, note, plain)
        return done if done == first else self._repeat(done, note, joined, "assembled ")

    def _repeat(self, text: str, note: Note, find: _Find, how: str = "") -> str:
        for _ in range(PASSES):
            spans = find(text)
            if not spans:
                break
            for span in spans:
                if not span.more:
                    note(how, span)
            text = cover(text, spans)
        return text

    def _plain(self, text: str) -> list[Span]:
        return fresh(text, self.find(text))

    def _joined(self, text: str, found: Sequence[Document]) -> list[Span]:
        return fresh(text, find_assembled(text, found, self.find))

    def _by_type(self, content_type: str) -> _Find:
        if "x-www-form-urlencoded" in content_type:
            return lambda text: fresh(text, [*self.find(text), *find_fields(text)])
        if content_type.startswith("multipart/"):
            return lambda text: fresh(text, [*self.find(text), *find_parts(text)])
        return self._plain


def _edges(texts: Sequence[str]) -> list[tuple[int, int]]:
    edges: list[tuple[int, int]] = []
    at = 0
    for text in texts:
        edges.append((at, at + len(text)))
        at += len(text) + 1
    return edges
