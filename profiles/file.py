"""Profile files: read with all errors at once, each with its line, and written so that reading gives the same again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.parse import parsed
from llm_simulator.profiles.profile import GAP_SHAPE, Profile, Writes
from llm_simulator.profiles.spec import shifted
from llm_simulator.profiles.spelled import spelled, spelled_numbers
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.types import JSON

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SCHEMA_NAME = "llm-simulator-profiles.schema.json"
HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_NAME}
# Latency profiles of llm-simulator: `llm-simulator serve --profile FILE`
"""
_PLACE = re.compile(r"^.*?: (profiles\[\d+\][^:]*|defaults[^:]*): ")
_WIDTH = 120


def load(path: Path | str) -> tuple[Profile, ...]:
    """The profiles of a YAML (or JSON) file.

    Raises:
        ConfigError: every problem found, one a line: file, line, place, what it was and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; the file must be UTF-8 text") from error
    return loads(text, str(path))


def loads(text: str, where: str) -> tuple[Profile, ...]:
    """The profiles of a file's text; `where` is what messages call it.

    Raises:
        ConfigError: as `load`.
    """
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}: not valid YAML: {error.problem}") from error
    problems = list(_of_schema(document, where))
    places = {found[1] for problem in problems if (found := _PLACE.match(problem))}
    own: list[str] = []
    profiles = parsed(document, where, own)
    problems += [problem for problem in own if not _told(problem, places)]
    if problems:
        raise ConfigError("\n".join(_with_lines(dict.fromkeys(problems), text, where)))
    return profiles


def _told(problem: str, places: set[str]) -> bool:
    """Whether the schema has complained about this place already, or about all of the document."""
    found = _PLACE.match(problem)
    return any(found[1].startswith(place) for place in places) if found else bool(places)


def _of_schema(document: JSON, where: str) -> Iterator[str]:
    from pydantic import ValidationError

    from llm_simulator.profiles.schema import ProfileFile

    if not isinstance(document, Mapping) or "profiles" not in document:
        return  # said better by the parser
    try:
        ProfileFile.model_validate(document)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            yield f"{where}: {_place(problem)}: {_complaint(problem)}"


def _place(problem: ErrorDetails) -> str:
    """`profiles[2].ttft`; of a union the branch that was tried is left out."""
    place = ""
    for part in problem["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"\w+", part) and part not in ("str", "bool", "float"):
            place += f".{part}" if place else part
    return place


def _complaint(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        from llm_simulator.profiles.parse import FIELDS

        inner = len(problem["loc"]) > 3
        return "no such field" + ("" if inner else f"; allowed are {', '.join(sorted(FIELDS))}")
    return f"got {problem['input']!r:.60}; {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _with_lines(problems: Iterable[str], text: str, where: str) -> Iterator[str]:
    """Each problem with the line of the innermost place that the file has."""
    import yaml

    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for problem in problems:
        found = _PLACE.match(problem)
        line = _line(root, re.findall(r"\w+", found[1])) if found else None
        yield problem if line is None else problem.replace(f"{where}: ", f"{where}:{line}: ", 1)


def _line(node: Any, steps: list[str]) -> int:
    line = 1
    for step in steps:
        value = getattr(node, "value", None)
        if isinstance(value, list) and step.isdigit() and int(step) < len(value) and not isinstance(value[0], tuple):
            node = value[int(step)]
            line = node.start_mark.line + 1
            continue
        pairs = value if isinstance(value, list) and value and isinstance(value[0], tuple) else []
        found = next((pair for pair in pairs if pair[0].value == step), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def json_schema() -> dict[str, JSON]:
    """JSON Schema (2020-12) of a profile file."""
    from llm_simulator.profiles.schema import ProfileFile

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ProfileFile.model_json_schema()}


def dump(profiles: Iterable[Profile]) -> str:
    """The profiles as the text of a file; equal profiles give equal text, and reading it gives equal profiles."""
    import yaml

    document = {"profiles": [spelled_profile(profile) for profile in profiles]}
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return HEAD + yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def spelled_profile(profile: Profile) -> dict[str, JSON]:
    """One profile as the mapping that a file has; what is as usual is left out."""
    told: dict[str, JSON] = {
        "name": profile.name,
        "provider": None if profile.provider == "*" else profile.provider,
        "models": list(profile.models),
        "family": None if profile.family == "*" else profile.family,
        "operations": list(profile.operations) or None,
        "stream": profile.stream,
        "cache": None if profile.cache == "any" else profile.cache,
        "ttft": spelled(profile.ttft),
        **_rate(profile),
        "total": spelled(profile.total) if profile.total else None,
        "speed_sigma": profile.speed_sigma or None,
        "writes": _writes(profile),
        "length": spelled(profile.length, time=False),
        "prompt_slope": _slope(profile),
        "cache_hit": {"ttft": spelled(profile.cache_hit)} if profile.cache_hit else None,
        "load": {"slots": profile.load.slots, "slowdown": profile.load.slowdown} if profile.load else None,
        "errors": [_plain({"status": e.status, "condition": e.condition, "rate": e.rate}) for e in profile.errors]
        or None,
        "usage_ratio": _ratio(profile),
        "source": profile.source or None,
        "provenance": _provenance(profile),
        "quality": dict(profile.quality) if profile.quality is not None else None,
        "traces": _traces(profile.traces) if profile.traces else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _plain(told: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in told.items() if value not in ("", None)}


def _rate(profile: Profile) -> dict[str, JSON]:
    return {"itl": spelled(profile.writes.gap)} if profile.rate is None else {"rate": spelled(profile.rate)}


def _writes(profile: Profile) -> JSON:
    writes = profile.writes
    shares = [round(b - a, 12) for a, b in pairwise((0.0, *writes.shares))]
    told: dict[str, JSON] = {}
    if (writes.sizes, writes.shares) != (Writes().sizes, Writes().shares):
        told["sizes"] = dict(zip(writes.sizes, shares, strict=True))
    if profile.rate is not None and writes.gap != GAP_SHAPE:
        told["gap"] = spelled(writes.gap)
    return told or None


def _slope(profile: Profile) -> JSON:
    slope = profile.prompt_slope
    return {"ms_per_token": shifted(slope.seconds, -3), "reference_tokens": slope.reference} if slope else None


def _ratio(profile: Profile) -> JSON:
    ratio = profile.usage_ratio
    return {"prompt": ratio.prompt, "completion": ratio.completion, "n": ratio.n} if ratio else None


def _provenance(profile: Profile) -> JSON:
    given = profile.provenance
    if given is None:
        return None
    return _plain({"source": given.source, "date": given.date, "n": given.n, "conditions": given.conditions})


def _traces(traces: Traces) -> JSON:
    return {"n": traces.n, "items": [_trace(trace) for trace in traces.items]}


def _trace(trace: Trace) -> dict[str, JSON]:
    told: dict[str, JSON] = {"ttft_rank": trace.ttft_rank, "rate_rank": trace.rate_rank, "tokens": trace.tokens}
    if trace.gaps:
        end, text = spelled_numbers(trace.gaps)
        told |= {f"gaps{end}": text, "sizes": " ".join(map(str, trace.sizes))}
    return told
