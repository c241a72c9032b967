"""The profile file as a pydantic schema: what an editor completes by, and the first check of a user's file.

pydantic is imported here only, and this module only where a file is read or the schema is asked for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from llm_simulator.profiles.distributions import FAMILIES
from llm_simulator.types import JSON

_PERCENTILES = ("p10", "p50", "p90", "p95", "p99")
_TIMES = ("mean", "std_dev", "value", "low", "high", "mu", "sigma", "tau", "median", "shift", "scale", "minimum")
_PURE = ("sigma", "shape", "alpha", "c", "k")
_NUMBER = {"type": "number"}
_LIST = {"oneOf": [{"type": "array", "items": _NUMBER}, {"type": "string", "pattern": r"^[0-9.eE+\s-]+$"}]}


def _quantity(units: tuple[str, ...], title: str) -> dict[str, JSON]:
    """What `spec.distribution` reads, as JSON Schema."""
    named = {f"{name}{unit}": _NUMBER for name in (*_PERCENTILES, *_TIMES) for unit in units}
    lists = {f"values{unit}": _LIST for unit in ("_us", "_ns", *units)}
    parts = {
        "type": "array",
        "description": "of a mixture",
        "items": {"type": "object", "required": ["weight"], "properties": {"weight": _NUMBER}},
    }
    end = "(_(ns|us|ms|s|secs))" if units[0] else ""
    return {
        "title": title,
        "oneOf": [
            {"type": "number", "minimum": 0},
            {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    "distribution": {"type": "string", "examples": list(FAMILIES)},
                    **dict.fromkeys(_PURE, _NUMBER),
                    **named,
                    **lists,
                    "parts": parts,
                },
                "patternProperties": {
                    rf"^p\d{{1,3}}(\.\d+)?{end}$": _NUMBER,
                    rf"^({'|'.join(_TIMES)}){end}$": _NUMBER,
                    rf"^values{end}$": _LIST,
                },
                "additionalProperties": False,
            },
        ],
    }


Time = Annotated[Any, WithJsonSchema(_quantity(("_ms", "_s"), "seconds, or ms, by the ends of its fields"))]
Tokens = Annotated[Any, WithJsonSchema(_quantity(("",), "tokens"))]
Share = Annotated[float, Field(ge=0, le=1)]
Names = str | list[str]


class Section(BaseModel):
    """A section that knows all its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WritesSection(Section):
    """How many tokens go out in one write."""

    sizes: dict[Annotated[int, Field(ge=1)], Annotated[float, Field(ge=0)]] = Field(
        default={1: 1.0}, description="tokens per write: share of the writes"
    )
    cv: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="variation of the gaps (1.2 where unknown)"
    )
    gap: Time = Field(default=None, description="the shape of the gaps between writes, instead of cv")


class SlopeSection(Section):
    """What each token of an uncached prompt above the reference adds to the TTFT (0.01 to 0.02 ms at the big APIs)."""

    ms_per_token: Annotated[float, Field(ge=0)]
    reference_tokens: Annotated[int, Field(ge=0)] = 0


class CacheHitSection(Section):
    """Of calls whose prompt the provider had cached."""

    ttft: Time


class LoadSection(Section):
    """How calls in flight together slow each other down."""

    slots: Annotated[int, Field(ge=0)] = Field(default=0, description="how many run at once, others wait (0: no limit)")
    slowdown: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="seconds per token times 1 + slowdown * (running - 1); 0.05 is usual"
    )


class ErrorSection(Section):
    """A failure that a share of the calls ends in."""

    status: Annotated[int, Field(ge=400, le=599)]
    rate: Share
    condition: str = Field(default="", description="its name in the catalogue of conditions; by status where left out")


class RatioSection(Section):
    """The provider's token counts over our estimates."""

    prompt: Annotated[float, Field(ge=0)] = 1.0
    completion: Annotated[float, Field(ge=0)] = 1.0
    n: Annotated[int, Field(ge=0)] = 0


class ProvenanceSection(Section):
    """Where the numbers are from."""

    source: str = ""
    date: Any = ""
    n: Annotated[int, Field(ge=0)] = 0
    conditions: str = ""


class TraceSection(BaseModel):
    """One recorded response."""

    model_config = ConfigDict(extra="allow", frozen=True)
    ttft_rank: Annotated[int, Field(ge=-1)] = -1
    rate_rank: Annotated[int, Field(ge=-1)] = -1
    tokens: Annotated[int, Field(ge=0)] = 0
    gaps_us: Any = Field(default=None, description="microseconds between writes, with spaces between (or gaps_ms, ...)")
    sizes: Any = Field(default=None, description="tokens per write, one more than gaps")


class TracesSection(Section):
    """Recorded responses: ranks and the sequence of gaps."""

    n: Annotated[int, Field(ge=1)] | None = Field(default=None, description="responses that the ranks are among")
    items: list[TraceSection]


class Fields(Section):
    """What a profile may say, and what `defaults` may say for all of a file."""

    family: str = Field(default="*", description="glob of wire formats: openai.chat, *.embeddings, ...")
    provider: str = Field(default="*", description="glob of providers: openai, anthropic, ...")
    operations: Names | None = Field(default=None, description="globs: for operations that generate nothing")
    stream: bool | Literal["any"] = "any"
    cache: Literal["any", "hit", "miss"] = "any"
    ttft: Time = Field(default=None, description="time to first token")
    rate: Time = Field(default=None, description="time per token of a response, after the first")
    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    itl: Time = Field(default=None, description="time between writes, drawn for each, instead of a rate")
    total: Time = Field(default=None, description="of an answer that is not streamed, instead of ttft + rate x tokens")
    speed_sigma: Annotated[float, Field(ge=0)] = Field(default=0.0, description="with itl: spread of responses' speeds")
    writes: WritesSection | None = None
    length: Tokens = Field(default=None, description="tokens of an answer that nothing limits")
    traces: TracesSection | None = None
    prompt_slope: SlopeSection | None = None
    cache_hit: CacheHitSection | None = None
    load: LoadSection | None = None
    errors: list[ErrorSection] = Field(default_factory=lambda: [])
    usage_ratio: RatioSection | None = None
    source: str | dict[str, str] = ""
    provenance: ProvenanceSection | None = None
    quality: dict[str, Any] | None = Field(default=None, description="of the fit, as calibration found it")


class ProfileSection(Fields):
    """One profile. `name` and `models` are needed, and `ttft` with a rate, or `total`."""

    name: str
    models: Names = Field(description="globs of model names; the first profile that fits counts")


class ProfileFile(Section):
    """A file of latency profiles."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="llm-simulator latency profiles")
    defaults: Fields = Field(default_factory=Fields, description="what a profile leaves out")
    profiles: list[ProfileSection]
