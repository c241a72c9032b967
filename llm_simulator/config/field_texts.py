"""What fields mean, for the published schema, where they are declared without a text: most of them in scenarios, whose names
speak for themselves in a file and not in an editor's completion."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_FAULT = {
    "kind": "an error that every provider has, a condition of docs/errors.md, or a break of the connection",
    "status": "the status, instead of that of the error",
    "message": "the message, instead of that of the error",
    "param": "the param, instead of that of the error",
    "code": "the code, instead of that of the error",
    "type": "the type, instead of that of the error",
    "retry_after": "seconds that its retry-after header says",
}
_SAID = {
    "text": "a template: what is said",
    "reasoning": "a template: what is thought before",
    "tool_calls": "tools that are called",
    "finish": "why it ends; by what it holds where nothing is said",
}
_NTH = {
    "numbers": "which of them, counted from 1",
    "every": "each so-manieth",
    "by": "what is counted: equal calls, or all calls of the session",
}
TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "BodySection": {
            "equals": "one of the values is this",
            "regex": "one of the values has this in it",
            "exists": "whether there is a value at all",
        },
        "CacheHitSection": {"ttft": "time to first token"},
        "EverySection": _NTH,
        "FaultSection": _FAULT,
        "KeySection": {"state": "what the provider answers to it"},
        "KeysSection": {"listed": "the keys that are known"},
        "LoggingSection": {"level": "what is worth a line"},
        "File": {"telemetry": "logs, metrics and traces"},
        "NthSection": _NTH,
        "PhasesSection": {
            "by": "seconds since activation, calls of the session, or equal calls",
            "steps": "the phases, one after the other",
            "repeat": "begin anew after the last one",
        },
        "RampSection": {"from": "at the beginning of the phase", "to": "at its end"},
        "RangeSection": {"min": "at least", "max": "at most"},
        "RatioSection": {
            "prompt": "of prompts",
            "completion": "of answers",
            "n": "exchanges that this was measured on",
        },
        "RespondSection": {**_SAID, "turns": "an answer for each turn of a conversation; the last one stays"},
        "RuleSection": {"name": "what journal and metrics call it, and its chances are drawn by"},
        "SaidSection": _SAID,
        "ScenarioSection": {"rules": "the first that fits a call decides"},
        "SlopeSection": {
            "ms_per_token": "milliseconds for each token of the prompt",
            "reference_tokens": "above so many tokens; below it is less",
        },
        "StepSection": {"name": "what rules and faults call it"},
        "StrategySection": {
            **_FAULT,
            "priority": "of several that strike, the one with the highest does",
            "header": "only where these headers fit",
            "session": "only in these sessions",
            "phase": "only in these phases",
        },
        "TelemetrySection": {"logging": "the log on standard error", "metrics": "Prometheus metrics"},
        "ThenSection": {
            "mode": "what is done with the call",
            "speed": "divides the waits of its answers",
            "validation": "provider: refuse what the provider would",
            "limits": "rate limits of these calls (docs/limits.md)",
        },
        "ToolCallSection": {"name": "a template: the tool", "arguments": "name -> value; texts are templates"},
        "UserSection": {"contains": "this text, in any case", "regex": "this regular expression"},
        "WhenSection": {
            "provider": "name, glob or /regex/",
            "operation": "chat, responses.create, embeddings.create, ...: name, glob or /regex/",
            "model": "name, glob or /regex/",
            "path": "of the request: glob or /regex/",
            "session": "name, glob or /regex/",
            "stream": "whether it is streamed",
            "phase": "the scenario is in one of these phases",
        },
    }
)
"""Section -> field -> text."""
