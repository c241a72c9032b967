"""Mode verify as a person reads it: what changed at the provider, in sum and call by call."""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.telemetry.drift import Aspect, Checked, Verification

MOST = 20
"""Changed calls shown on a terminal; a report file has them all."""


def text(found: Verification, most: int = MOST) -> list[str]:
    """Lines: the counts, the medians, then each changed call with its changes. Empty where nothing was compared."""
    if not found.compared:
        return []
    changed = [f"{aspect.value} {found.counts[aspect]}" for aspect in Aspect if found.counts[aspect]]
    return [
        f"verified: {found.compared} call{'s' * (found.compared != 1)} compared with the recording, "
        f"{found.same} without a change",
        *([f"  changed: {', '.join(changed)} (calls)"] if changed else []),
        *_medians(found),
        *_calls(found, most),
    ]


def _medians(found: Verification) -> Iterator[str]:
    for name, (was, now) in found.medians().items():
        ratio = f" ({now / was:.2f} times)" if was else ""
        yield f"  median {name}: recorded {was:.0f} ms, now {now:.0f} ms{ratio}"


def _calls(found: Verification, most: int) -> Iterator[str]:
    changed = [call for call in found.calls if call.drift.changes]
    for call in changed[:most]:
        yield f"  {_name(call)}"
        for change in call.drift.changes:
            yield f"    {change.aspect.value:<8} {change}"
    left = found.compared - found.same - len(changed[:most])
    if left:
        yield f"  ... and {left} more calls that changed"


def _name(call: Checked) -> str:
    number = "" if call.exchange is None else f" (recording {call.exchange})"
    return f"{call.method} {call.path} {call.model or '-'}{number}"
