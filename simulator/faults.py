"""Faults: what they are, when they strike, and how they come out. The ways to break an answer stand in `faults_broken.py`.

A fault is an error of the catalogue by name (`openai.rate_limit_requests`), one that every provider has under its own
name (`rate_limit`), a status of one's own, or a break of the connection (`reset_mid_stream`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from llm_simulator.dialects import conditions
from llm_simulator.dialects.fields import as_object, load
from llm_simulator.simulator import faults_connect
from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.scenario_when import HeaderTest, Names, Nth, Ramp, Situation, drawn, matches
from llm_simulator.types import Call, Condition, Frame, Reply


@dataclass(frozen=True, slots=True)
class Burst:
    """The first `length` of each `every` (equal calls, calls of a session, or seconds), from `start` on."""

    length: float
    every: float
    by: str = "occurrence"
    start: float = 0.0

    def holds(self, situation: Situation) -> bool:
        place = situation.place(self.by) - self.start
        return place >= 0 and place % self.every < self.length


@dataclass(frozen=True, slots=True)
class Strategy:
    """When a fault strikes: all that is given must hold. Nothing given strikes always.

    `first_attempts` counts r where the SDK sends it, else k: a retry succeeds once so many have failed.
    """

    probability: Ramp | None = None
    every: Nth | None = None
    first_attempts: int | None = None
    burst: Burst | None = None
    headers: tuple[HeaderTest, ...] = ()
    session: Names = ()
    phase: tuple[str, ...] = ()

    @property
    def remembers(self) -> bool:
        """Whether it depends on what came before, not on the call alone."""
        return any(part is not None and part.by != "occurrence" for part in (self.every, self.burst))

    def strikes(self, situation: Situation, lot: Lot, purpose: str, phase: str, progress: float) -> bool:
        return (
            (not self.phase or phase in self.phase)
            and (self.first_attempts is None or situation.tries < self.first_attempts)
            and (self.every is None or self.every.holds(situation))
            and (self.burst is None or self.burst.holds(situation))
            and matches(self.session, situation.session)
            and all(test.holds(situation.call) for test in self.headers)
            and (self.probability is None or drawn(self.probability.at(progress), lot, situation.draw, purpose))
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` is the name of a condition or of a break, "" for a status of one's own; `name` is what the journal says.

    `message`, `param`, `code`, `type` and `retry_after` (seconds) stand in for those of the condition. `delay` comes
    before everything, in seconds; `waits` is what it amounts to for this call. A break strikes after `after_tokens`
    tokens, inside a tool call if `in_tool_call`; `seconds` is how long what is slow takes (each piece of a drip).
    """

    name: str
    what: str = ""
    status: int | None = None
    message: str = ""
    param: str | None = None
    code: str | None = None
    type: str = ""
    retry_after: float | None = None
    delay: Ramp | None = None
    waits: float = 0.0
    after_tokens: int = 5
    in_tool_call: bool = False
    seconds: float | None = None
    priority: int = 0
    strategy: Strategy = field(default_factory=Strategy)

    @property
    def connects(self) -> bool:
        """Whether it strikes a connection, before there is a call."""
        return faults_connect.find(self.what) != ""


_COLUMNS = conditions.PROVIDERS  # openai, azure, anthropic, gemini, cohere, mistral; "-" where one has no such error
_COMMON: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "rate_limit": (
            429,
            "rate_limit_requests rate_limit_calls rate_limit_requests quota_requests_per_minute_free "
            "doc_429_requests_per_minute_limit rate_limited",
        ),
        "token_limit": (
            429,
            "rate_limit_tokens rate_limit_tokens rate_limit_input_tokens quota_input_tokens_paid "
            "doc_429_trial_token_limit rate_limited",
        ),
        "quota_exhausted": (
            429,
            "insufficient_quota - credit_balance_too_low quota_exhausted_bare "
            "doc_402_spending_cap_of_the_key_reached tier_capacity",
        ),
        "overloaded": (503, "overloaded no_capacity overloaded model_overloaded service_unavailable unavailable"),
        "server_error": (500, "server_error internal api_error internal internal internal"),
        "bad_gateway": (
            502,
            "bad_gateway_html apim_500_plain bad_gateway_html bad_gateway_html bad_gateway bad_gateway",
        ),
        "unavailable": (
            503,
            "service_unavailable_text service_unavailable service_unavailable model_overloaded "
            "service_unavailable unavailable",
        ),
        "timeout": (
            504,
            "gateway_timeout_text gateway_timeout timeout_error deadline_exceeded gateway_timeout gateway_timeout",
        ),
        "invalid_key": (
            401,
            "invalid_api_key_gateway invalid_key invalid_api_key api_key_invalid doc_401_wrong_key unauthorized",
        ),
        "key_revoked": (
            401,
            "account_deactivated invalid_key invalid_api_key key_reported_leaked doc_401_key_expired unauthorized",
        ),
        "forbidden": (
            403,
            "project_model_access temporarily_blocked permission_error permission_denied forbidden forbidden",
        ),
        "model_not_found": (
            404,
            "model_not_found deployment_not_found model_not_found model_not_found model_not_found invalid_model",
        ),
        "context_overflow": (
            400,
            "context_length_exceeded_chat context_length_exceeded prompt_too_long token_limit too_many_tokens_typed "
            "context_too_long",
        ),
        "prompt_filtered": (
            400,
            "content_policy_violation content_filter_violence content_filtering prompt_blocked_safety - -",
        ),
        "answer_filtered": (400, "finish_content_filter - stop_refusal finish_safety - -"),
        "stream_error": (500, "stream_error_chat - stream_overloaded_error stream_error_data stream_finish_error -"),
    }
)
"""Errors that most providers know: the status where one does not, and what each calls it."""

_STREAMED: Mapping[str, str] = MappingProxyType(
    {
        "openai.finish_content_filter": "openai.stream_finish_content_filter",
        "openai.finish_length": "openai.stream_finish_length",
        "openai.response_incomplete_max_tokens": "openai.stream_response_incomplete",
        "openai.response_incomplete_content_filter": "openai.stream_response_incomplete_filter",
        "anthropic.stop_refusal": "anthropic.stream_stop_refusal",
        "anthropic.stop_max_tokens": "anthropic.stream_stop_max_tokens",
        "anthropic.stop_pause_turn": "anthropic.stream_stop_pause_turn",
        "anthropic.stop_model_context_window_exceeded": "anthropic.stream_stop_model_context_window_exceeded",
        "cohere.finish_error": "cohere.stream_finish_error",
        "cohere.finish_max_tokens": "cohere.stream_finish_max_tokens",
        "cohere.finish_timeout": "cohere.stream_finish_timeout",
        "cohere.finish_stop_sequence": "cohere.stream_finish_stop_sequence",
    }
)
"""How a result of the catalogue looks as a stream."""

_OF_RESPONSES: Mapping[str, str] = MappingProxyType(
    {
        "openai.context_length_exceeded_chat": "openai.context_length_exceeded_responses",
        "openai.invalid_api_key_gateway": "openai.invalid_api_key_responses",
        "openai.model_not_found": "openai.model_not_found_responses",
        "openai.finish_content_filter": "openai.response_incomplete_content_filter",
        "openai.stream_error_chat": "openai.stream_error_responses_flat",
    }
)
"""The words of OpenAI's Responses API where they are others than those of chat."""


def common() -> tuple[str, ...]:
    """The names that mean an error of every provider."""
    return tuple(_COMMON)


def known(what: str) -> bool:
    """Whether a condition of that name exists, for whichever provider."""
    return what in _COMMON or _anywhere(what) is not None


def _anywhere(what: str) -> conditions.Entry | None:
    if (found := conditions.find(what)) is not None:
        return found if found.spelled else None
    found = next((entry for name in conditions.PROVIDERS if (entry := conditions.find(what, name))), None)
    return found if found is not None and found.spelled else None


def entry_of(what: str, call: Call) -> conditions.Entry | None:
    """The entry of the catalogue that a name means for this call; None where its provider has none."""
    entry = conditions.find(_own_name(what, call.provider), call.provider)
    if entry is None or not entry.spelled:
        return None
    if call.family == "openai.responses":
        entry = conditions.find(_OF_RESPONSES.get(entry.id, entry.id)) or entry
    if call.stream and entry.transport == "result":
        entry = conditions.find(_STREAMED.get(entry.id, entry.id)) or entry
    return entry


def _own_name(what: str, provider: str) -> str:
    """What a provider calls an error that most have; hosts that are compatible with OpenAI use its words."""
    if what not in _COMMON:
        return what
    speaker = "gemini" if provider == "vertex" else provider if provider in _COLUMNS else "openai"
    return dict(zip(_COLUMNS, _COMMON[what][1].split(), strict=True))[speaker]


def condition_of(fault: Fault, call: Call) -> Condition:
    """The error that a fault answers with: the provider's own where it has one, else one of that status in its envelope."""
    entry = entry_of(fault.what, call) if fault.what else None
    if entry is not None:
        own = fault.message if entry.status and entry.status >= 400 else ""
        made = Condition(entry.id, entry.status or 0, own or "", retry_after=fault.retry_after)
    else:
        status = fault.status or _status(fault.what)
        message = fault.message or f"The provider answered with status {status}."
        made = Condition(fault.what or f"status_{status}", status, message, retry_after=fault.retry_after)
    return Condition(
        made.name,
        made.status,
        made.message,
        param=fault.param,
        code=fault.code,
        type=fault.type,
        retry_after=made.retry_after,
    )


def _status(what: str) -> int:
    if what in _COMMON:
        return _COMMON[what][0]
    found = _anywhere(what)
    return found.status or 500 if found is not None else 500


def spelled(reply: Reply, fault: Fault, call: Call) -> Reply:
    """What a dialect made of the condition, with a status of one's own; a result alone is a stream of one event."""
    status = fault.status or reply.status
    streams = call.stream and reply.status == 200 and isinstance(reply.body, bytes) and as_object(load(reply.body))
    if not streams:
        return Reply(status, reply.headers, reply.body)
    assert isinstance(reply.body, bytes)
    kept = tuple(item for item in reply.headers if item[0].lower() not in ("content-type", "content-length"))
    event = b"data: " + b" ".join(line.strip() for line in reply.body.splitlines()) + b"\n\n"
    return Reply(status, (("content-type", "text/event-stream"), *kept), (Frame(0, event),))
