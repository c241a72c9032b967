"""Provider keys by policy: which are taken, and what each provider answers to the others. Pure; keys only as digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from llm_simulator.dialects.condition_values import key_of
from llm_simulator.simulator.faults import Fault, condition_of
from llm_simulator.types import JSON, Call, Condition


class KeyState(Enum):
    """What a provider thinks of a key."""

    VALID = "valid"
    UNKNOWN = "unknown"
    MISSING = "missing"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WRONG_PROJECT = "wrong_project"
    NO_CREDIT = "no_credit"
    QUOTA_EXHAUSTED = "quota_exhausted"


_COLUMNS = ("openai", "azure", "anthropic", "gemini", "cohere", "mistral")
_TABLE: Mapping[KeyState, str] = MappingProxyType(
    {
        KeyState.UNKNOWN: "invalid_api_key_gateway invalid_key invalid_api_key api_key_invalid incorrect_api_key unauthorized",
        KeyState.MISSING: "missing_api_key missing_key missing_api_key api_key_missing doc_401_no_key_sent unauthorized_kong",
        KeyState.EXPIRED: "invalid_api_key_gateway invalid_key invalid_api_key api_key_expired doc_401_key_expired "
        "unauthorized",
        KeyState.REVOKED: "account_deactivated invalid_key invalid_api_key key_reported_leaked doc_401_wrong_key "
        "unauthorized",
        KeyState.WRONG_PROJECT: "mismatched_project entra_missing_role permission_error service_disabled forbidden forbidden",
        KeyState.NO_CREDIT: "credit_balance_exhausted billing_not_active credit_balance_too_low prepay_depleted "
        "doc_402_no_valid_payment_method tier_capacity",
        KeyState.QUOTA_EXHAUSTED: "insufficient_quota rate_limit_long code.enforced_spend_limit_reached quota_exhausted_bare "
        "doc_402_spending_cap_of_the_key_reached tier_capacity",
    }
)
"""What each provider calls it, in the order of the columns (conditions of docs/errors.md). Those that tell no reason (Azure,
Anthropic and Mistral of an expired key) answer as to an unknown one; OpenAI's keys do not expire."""


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """The policy. `states` are those of known keys by digest; `open`: keys that are not known are taken, and so is none."""

    open: bool = True
    states: Mapping[str, KeyState] = field(default_factory=lambda: MappingProxyType({}))

    def state(self, call: Call) -> KeyState:
        key = key_of(call)
        if not key:
            return KeyState.VALID if self.open else KeyState.MISSING
        return self.states.get(digest(key), KeyState.VALID if self.open else KeyState.UNKNOWN)

    def refusal(self, call: Call) -> Condition | None:
        """The provider's own answer to the key of a call; None where it is taken."""
        state = self.state(call)
        return None if state is KeyState.VALID else condition_of(Fault(state.value, _name(state, call)), call)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The policy as it is configured: known keys as `digest:...` or `env:NAME`, with their states."""

    open: bool
    listed: tuple[tuple[str, KeyState], ...] = ()

    def as_json(self) -> dict[str, JSON]:
        """As an operator may see it: how many keys of each state, and none of them."""
        states = [state.value for _, state in self.listed]
        policy = "any" if self.open else "listed"
        return {"policy": policy, "listed": {state: states.count(state) for state in dict.fromkeys(states)}}

    def made(self, environ: Mapping[str, str]) -> Keys:
        """The policy with the values of the variables. One that is not set names no key."""
        states: dict[str, KeyState] = {}
        for named, state in self.listed:
            kind, _, value = named.partition(":")
            if kind == "digest":
                states[value] = state
            elif given := environ.get(value):
                states[digest(given)] = state
        return Keys(self.open, MappingProxyType(states))


def _name(state: KeyState, call: Call) -> str:
    speaker = {"vertex": "gemini"}.get(call.provider, call.provider)
    column = _COLUMNS.index(speaker) if speaker in _COLUMNS else 0
    return _TABLE[state].split()[column]
