"""How many genuine replies and simulated answers are valid, by provider and schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fidelity_corpus import Answered, Corpus, Recording, genuine, is_simulated
from fidelity_published import Verdict
from validity import verdicts_of


@dataclass(slots=True)
class Tally:
    """By "provider schema": parts (bodies, events) held against it, those accepted, and those accepted strictly: as the
    schema and `schema_overlay` stand today, without the forms of older replies. `rejected` says why, with sources.
    """

    parts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    strictly: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, list[str]] = field(default_factory=dict)
    unjudged: Counter[str] = field(default_factory=Counter)

    def judge(self, recording: Recording, answer: Answered) -> None:
        """Holds an answer against what is known of its endpoint; "unjudged" where nothing is."""
        verdicts, strictly = _verdicts(recording, answer, aged=True), _verdicts(recording, answer, aged=False)
        if verdicts is None or strictly is None:
            self.unjudged[recording.group] += 1
            return
        for verdict, strict in zip(verdicts, strictly, strict=True):
            name = f"{recording.provider} {verdict.schema}"
            self.parts[name] += 1
            self.accepted[name] += not verdict.problems
            self.strictly[name] += not strict.problems
            if verdict.problems:
                self.rejected.setdefault(f"{name}: {verdict.problems[0]}", []).append(recording.source)

    def lines(self) -> Iterator[str]:
        for name in sorted(self.parts):
            yield f"  {name:64} {self.accepted[name]:6} of {self.parts[name]:6} (strictly {self.strictly[name]:6})"
        for reason, sources in sorted(self.rejected.items()):
            yield f"  rejected: {reason} ({len(sources)} times, e.g. {sources[0]})"

    def as_json(self) -> Any:
        return {
            "schemas": {name: self._counts(name) for name in sorted(self.parts)},
            "rejected": self.rejected,
            "unjudged": dict(self.unjudged),
        }

    def _counts(self, name: str) -> dict[str, int]:
        return {"parts": self.parts[name], "accepted": self.accepted[name], "strictly": self.strictly[name]}


def _verdicts(recording: Recording, answer: Answered, *, aged: bool) -> list[Verdict] | None:
    asked = recording.request
    return verdicts_of(
        recording.provider, asked.method, asked.path, asked.query, answer.body, recording.stream, aged=aged
    )


def genuine_replies(corpus: Corpus) -> Tally:
    """Every genuine success, simulated or not."""
    tally = Tally()
    for recording in corpus.recordings:
        if recording.status < 300 and recording.body and not recording.suspect:
            tally.judge(recording, genuine(recording))
    return tally


def simulated_answers(corpus: Corpus) -> Tally:
    """Our answers to every request that is simulated. One that is refused counts as rejected."""
    tally = Tally()
    for recording in corpus.recordings:
        if not is_simulated(recording) or corpus.lacks(recording):
            continue
        answer = corpus.simulate(recording)
        if answer.status < 300:
            tally.judge(recording, answer)
        else:
            tally.rejected.setdefault(f"refused: {answer.body[:200].decode()}", []).append(recording.source)
    return tally
