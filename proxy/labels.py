"""What is added to the headers of an answer that is made already. Equal answers differ in the last two fields (wire)."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.types import Answer, Headers, header

STATE = "x-llm-simulator-state"


def labelled(answer: Answer, state: str = "", named: Headers = (), kept: Headers | None = None) -> Answer:
    """The answer with `named` fields, and `state` among what its state label says. `kept` are its fields, where not all of
    its own are to stay."""
    if not answer.status:
        return answer
    fields = answer.headers if kept is None else kept
    if state:
        before = header(fields, STATE)
        fields = tuple(item for item in fields if item[0] != STATE)
        named = (*named, (STATE, f"{before}, {state}" if before else state))
    return replace(answer, headers=(*fields[:-2], *named, *fields[-2:]))
