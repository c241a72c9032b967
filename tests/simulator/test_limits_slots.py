"""Slots, line and promises; breakers; lives of sessions; keys: pure steps, played as tables of events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.simulator import breaker, slots, terms
from llm_simulator.simulator.breaker import Terms
from llm_simulator.simulator.keys import KeyRules, Keys, KeyState, digest
from llm_simulator.simulator.limit_tiers import TIERS, Allowed, Limits, family, tier
from llm_simulator.simulator.policies import buckets, rules, settled
from llm_simulator.simulator.providers import Kind, kind_of
from llm_simulator.types import Call, RawRequest, Usage


class Doors:
    def __init__(self, most: int, line: int) -> None:
        self.most, self.line = most, line
        self.value: Any = None

    def enter(self, ticket: str, at: float = 0, who: str = "", back: float = 0) -> Any:
        self.value, result = slots.step(self.value, slots.enter(ticket, self.most, self.line, who, back), at)
        return result

    def leave(self, ticket: str) -> Any:
        self.value, result = slots.step(self.value, slots.leave(ticket), 0)
        return result["next"]


def test_so_many_at_once_a_line_and_no_more() -> None:
    doors = Doors(2, 1)
    assert [doors.enter(f"w:{n}")["state"] for n in range(4)] == ["in", "in", "waits", "full"]
    assert doors.leave("w:0") == ["w:2"]
    assert doors.enter("w:4")["state"] == "waits"


def test_the_line_is_first_come_first_served_and_who_leaves_it_frees_his_place() -> None:
    doors = Doors(1, 3)
    for n in range(4):
        doors.enter(f"w:{n}")
    assert doors.leave("w:2") == []
    assert doors.leave("w:0") == ["w:1"]
    assert doors.leave("w:1") == ["w:3"]
    assert doors.leave("w:3") == []
    assert doors.value is None


def test_who_comes_back_as_told_has_a_place_beyond_the_line() -> None:
    doors = Doors(1, 0)
    assert doors.enter("w:0")["state"] == "in"
    refused = doors.enter("w:1", 0, "me", 1.0)
    assert (refused["state"], refused["told"]) == ("full", True)
    assert doors.enter("w:2", 0.5, "other", 1.0)["state"] == "full"
    assert doors.enter("w:3", 1.0, "me", 1.0)["state"] == "waits"
    assert doors.leave("w:0") == ["w:3"]


def test_the_calls_of_a_worker_that_died_are_dropped() -> None:
    doors = Doors(2, 5)
    for ticket in ("a:0", "b:0", "a:1", "b:1"):
        doors.enter(ticket)
    doors.value, result = slots.step(doors.value, slots.drop("a"), 0)
    assert (result["next"], result["running"], result["waiting"]) == (["b:1"], 2, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=80), st.integers(1, 4), st.integers(0, 4))
def test_never_more_run_than_may_and_nobody_is_lost(moves: list[tuple[bool, int]], most: int, line: int) -> None:
    doors = Doors(most, line)
    inside: list[str] = []
    waiting: list[str] = []
    for number, (comes, which) in enumerate(moves):
        if comes:
            ticket = f"w:{number}"
            state = doors.enter(ticket)["state"]
            (inside if state == "in" else waiting if state == "waits" else []).append(ticket)
        elif both := inside + waiting:
            ticket = both[which % len(both)]
            (inside if ticket in inside else waiting).remove(ticket)
            for admitted in doors.leave(ticket):
                assert admitted == waiting.pop(0)
                inside.append(admitted)
        assert len(inside) <= most
        assert len(waiting) <= line
        assert not waiting or len(inside) == most
        result: Any = doors.value or {"running": {}, "line": []}
        assert (sum(result["running"].values()), result["line"]) == (len(inside), waiting)


# --- breakers

TERMS = Terms(failures=2, successes=2, timeout=10, probes=1)


class Fuse:
    def __init__(self) -> None:
        self.value: Any = None

    def check(self, at: float) -> Any:
        self.value, result = breaker.step(self.value, breaker.check(TERMS), at)
        return result

    def call(self, at: float, success: bool | None) -> str:
        passed = self.check(at)
        if not passed["ok"]:
            return "refused"
        self.value, result = breaker.step(self.value, breaker.record(TERMS, success, passed["number"]), at)
        return str(result["state"])


@pytest.mark.parametrize(
    ("calls", "states"),
    [
        ([(0, False), (1, False), (2, True)], ["closed", "open", "refused"]),
        ([(0, False), (1, True), (2, False)], ["closed", "closed", "closed"]),  # failures in a row
        ([(0, False), (1, None), (2, False)], ["closed", "closed", "open"]),  # who left says nothing
        (
            [(0, False), (0, False), (10, True), (11, True), (12, True)],
            ["closed", "open", "half-open", "closed", "closed"],
        ),
        (
            [(0, False), (0, False), (10, False), (15, True), (20, True)],
            ["closed", "open", "open", "refused", "half-open"],
        ),
    ],
)
def test_a_breaker_opens_waits_probes_and_closes(calls: Sequence[tuple[float, bool | None]], states: list[str]) -> None:
    fuse = Fuse()
    assert [fuse.call(at, success) for at, success in calls] == states


def test_an_open_breaker_tells_how_long_it_stays_so() -> None:
    fuse = Fuse()
    fuse.call(0, False)
    fuse.call(0, False)
    assert fuse.check(4)["wait"] == pytest.approx(6)


def test_half_open_lets_only_its_probes_through_and_a_lost_one_is_replaced() -> None:
    fuse = Fuse()
    fuse.call(0, False)
    fuse.call(0, False)
    assert [fuse.check(10)["ok"], fuse.check(10)["ok"], fuse.check(19)["ok"], fuse.check(20)["ok"]] == [
        *(True, False),
        *(False, True),
    ]


def test_a_call_from_before_a_move_does_not_count_after_it() -> None:
    fuse = Fuse()
    early = fuse.check(0)
    fuse.value, _ = breaker.step(fuse.value, breaker.TRIP, 0)
    fuse.value, result = breaker.step(fuse.value, breaker.RESET, 1)
    assert (result["state"], result["moved"]) == ("closed", "open")
    fuse.value, _ = breaker.step(fuse.value, breaker.record(TERMS, False, early["number"]), 1)
    assert fuse.value["failures"] == 0


def test_tripped_by_hand_it_opens_at_once() -> None:
    fuse = Fuse()
    fuse.value, result = breaker.step(None, breaker.TRIP, 0)
    assert (result["state"], fuse.check(1)["ok"]) == ("open", False)


# --- sessions


class Life:
    def __init__(self, ttl: float | None) -> None:
        self.ttl = ttl
        self.value: Any = None

    def begin(self, at: float) -> Any:
        self.value, result = terms.step(self.value, terms.begin(self.ttl), at)
        return result

    def end(self, at: float, first: float) -> Any:
        self.value, result = terms.step(self.value, terms.end(self.ttl, first), at)
        return result

    def forgotten(self, at: float) -> None:
        self.value, _ = terms.step(self.value, terms.FORGOTTEN, at)


def test_a_session_that_expires_during_a_call_completes_then_expires() -> None:
    life = Life(10)
    first = life.begin(0)["first"]
    assert life.begin(25)["fresh"] is False  # a second call, while the first one goes on: the same session
    assert life.end(30, first) == {}
    assert life.end(40, first) == {"forget": True}


def test_nobody_begins_in_a_session_that_is_being_forgotten() -> None:
    life = Life(10)
    life.end(1, life.begin(0)["first"])
    assert life.begin(20) == {"forget": True, "again": True}
    assert life.begin(20) == {"again": True}  # two calls on an expiring session: both wait, then share the new one
    life.forgotten(20)
    assert [life.begin(20)["fresh"], life.begin(20)["fresh"]] == [True, False]


def test_a_call_of_an_ended_session_does_not_end_in_the_next_one() -> None:
    life = Life(None)
    first = life.begin(0)["first"]
    life.value, result = terms.step(life.value, terms.close(None, force=True), 1)
    assert result == {"forget": True}
    life.forgotten(1)
    life.begin(2)
    life.end(3, first)
    assert life.value["active"] == 1


# --- what is limited


def call(host: str, path: str, body: Any, **headers: str) -> Call:
    import json

    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return dialects.read(RawRequest("POST", path, host, headers=given, body=json.dumps(body).encode()))


OPENAI = call(
    "api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "x" * 36}]}
)


def test_the_tiers_of_the_classic_load_tests() -> None:
    assert tier("openai", "tier-1") == Limits(rpm=500, tpm=10_000, concurrent=5)
    assert tier("anthropic", "standard") == Limits(rpm=1_000, tpm=100_000, concurrent=50)
    assert all(limits != Limits() for tiers in TIERS.values() for limits in tiers.values())


@pytest.mark.parametrize(
    ("provider", "one", "other", "same"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-08-06", True),
        ("openai", "gpt-4o", "gpt-4o-mini", False),
        ("openai", "gpt-3.5-turbo-0125", "gpt-3.5-turbo", True),
        ("anthropic", "claude-opus-4-5-20251101", "claude-opus-4-1", True),
        ("anthropic", "claude-opus-4-5", "claude-sonnet-4-5", False),
        ("anthropic", "claude-3-5-sonnet-20241022", "claude-3-5-sonnet-latest", True),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025", True),
    ],
)
def test_model_families_share_their_limits(provider: str, one: str, other: str, same: bool) -> None:
    assert (family(provider, one) == family(provider, other)) is same


def test_the_most_particular_word_counts_number_by_number() -> None:
    given = {
        "*": Allowed(limits=Limits(rpm=7)),
        "openai": Allowed("tier-1"),
        "gpt-4o*": Allowed(limits=Limits(rpm=60)),
        "gpt-4o": Allowed(limits=Limits(concurrent=-1)),
    }
    kinds = {key: Kind.ALL if key == "*" else kind_of(key, frozenset({"openai"})) for key in given}
    found = rules(given, kinds)
    assert found.of("openai", "gpt-4o") == Limits(rpm=60, tpm=10_000)
    assert found.of("openai", "o3") == Limits(rpm=500, tpm=10_000, concurrent=5)
    assert found.of("cohere", "command-a-03-2025") == Limits(rpm=7)
    assert rules({}, {}).of("openai", "gpt-4o") is None


def test_a_call_takes_what_it_seems_to_need_and_then_what_it_needed() -> None:
    taken = buckets(Limits(rpm=10, rpd=100, tpm=1000), OPENAI)
    assert {bucket.name: bucket.cost for bucket in taken} == {"requests": 1, "requests-day": 1, "tokens": 15}
    assert [(left.name, left.cost) for left in settled(taken, Usage(8, 20))] == [("tokens", 13)]
    assert [(left.name, left.cost) for left in settled(taken, None)] == [("tokens", -15)]


def test_the_most_that_may_be_answered_counts_where_it_is_more() -> None:
    body = {"model": "gpt-4o", "messages": [], "max_completion_tokens": 900}
    wanted = buckets(Limits(tpm=1000), call("api.openai.com", "/v1/chat/completions", body))
    assert wanted[0].cost == 900
    gemini = {"contents": [], "generationConfig": {"maxOutputTokens": 700}}
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    assert buckets(Limits(tpm=1000), call("generativelanguage.googleapis.com", path, gemini))[0].cost == 700


def test_by_direction_the_answer_counts_as_it_comes() -> None:
    body = {"model": "claude-opus-4-5", "max_tokens": 4000, "messages": [{"role": "user", "content": "x" * 400}]}
    taken = buckets(Limits(itpm=1000, otpm=500), call("api.anthropic.com", "/v1/messages", body))
    assert [bucket.name for bucket in taken] == ["input-tokens", "output-tokens"]
    assert taken[1].cost == 1
    assert {
        left.name: left.cost + was.cost
        for left, was in zip(settled(taken, Usage(90, 30, cached=50)), taken, strict=True)
    } == {
        "input-tokens": 40,
        "output-tokens": 30,
    }


def test_pictures_are_no_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 40_000}}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": [picture]}]}
    assert buckets(Limits(tpm=1000), call("api.openai.com", "/v1/chat/completions", body))[0].cost < 30


# --- keys


@pytest.mark.parametrize(
    ("host", "path", "body", "state", "status", "word"),
    [
        ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, "unknown", 401, "invalid_api_key"),
        ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, "revoked", 401, "deactivated"),
        ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, "wrong_project", 401, "mismatched_project"),
        ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, "no_credit", 429, "credit_balance_exhausted"),
        ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, "quota_exhausted", 429, "insufficient_quota"),
        ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-5"}, "unknown", 401, "authentication_error"),
        ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-5"}, "wrong_project", 403, "permission_error"),
        ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-5"}, "no_credit", 400, "credit balance"),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            {},
            "expired",
            400,
            "expired",
        ),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            {},
            "revoked",
            403,
            "leaked",
        ),
        ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025"}, "expired", 401, "expired"),
        ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025"}, "quota_exhausted", 402, "Maximum billing"),
        (
            "api.mistral.ai",
            "/v1/chat/completions",
            {"model": "mistral-small-latest"},
            "unknown",
            401,
            "Invalid API Key",
        ),
        (
            "x.openai.azure.com",
            "/openai/deployments/d/chat/completions",
            {},
            "unknown",
            401,
            "invalid subscription key",
        ),
        ("api.groq.com", "/openai/v1/chat/completions", {"model": "llama-3.3-70b"}, "unknown", 401, "invalid_api_key"),
    ],
)
def test_each_state_of_a_key_is_answered_as_its_provider_does(
    host: str, path: str, body: Any, state: str, status: int, word: str
) -> None:
    made = call(host, path, body, authorization="Bearer sk-one-of-ours-1234")
    refusal = Keys(True, {digest("sk-one-of-ours-1234"): KeyState(state)}).refusal(made)
    assert refusal is not None
    reply = dialects.of(made).refuse(refusal, made)
    assert reply.status == status
    assert isinstance(reply.body, bytes)
    assert word in reply.body.decode()


def test_any_key_is_taken_but_those_that_are_known_otherwise() -> None:
    made = call("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, authorization="Bearer sk-any")
    assert Keys().refusal(made) is None
    assert Keys(False).state(made) is KeyState.UNKNOWN
    assert Keys(False).state(OPENAI) is KeyState.MISSING
    assert Keys().state(OPENAI) is KeyState.VALID


def test_variables_are_looked_up_and_only_digests_are_kept() -> None:
    given = KeyRules(
        False,
        (("env:MINE", KeyState.VALID), ("env:NOT_SET", KeyState.VALID), (f"digest:{digest('x')}", KeyState.EXPIRED)),
    )
    keys = given.made({"MINE": "sk-mine-123"})
    assert "sk-mine" not in repr(keys)
    mine = call("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, authorization="Bearer sk-mine-123")
    assert keys.state(mine) is KeyState.VALID
    assert len(keys.states) == 2


DOCS = Path(__file__).parents[2] / "docs" / "limits.md"
ASKED = [
    ("api.openai.com", "/v1/chat/completions"),
    ("x.openai.azure.com", "/openai/deployments/d/chat/completions"),
    ("api.anthropic.com", "/v1/messages"),
    ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:generateContent"),
    ("api.cohere.com", "/v2/chat"),
    ("api.mistral.ai", "/v1/chat/completions"),
]


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ("not listed, or `unknown`", KeyState.UNKNOWN),
        ("none at all", KeyState.MISSING),
        *((f"`{state.value}`", state) for state in list(KeyState)[3:]),
    ],
)
def test_the_table_of_the_documentation_is_what_is_answered(row: str, state: KeyState) -> None:
    line = next(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row} |"))
    told = [int(cell) for cell in line.strip("|").split("|")[1:]]
    statuses: list[int] = []
    for host, path in ASKED:
        made = call(
            host, path, {"model": "m"}, **({} if state is KeyState.MISSING else {"authorization": "Bearer sk-1"})
        )
        refusal = Keys(False, {digest("sk-1"): state}).refusal(made)
        assert refusal is not None
        statuses.append(dialects.of(made).refuse(refusal, made).status)
    assert statuses == told


def test_the_documentation_names_every_tier() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert "`tier-2` to `tier-5`" in text
    for provider, tiers in TIERS.items():
        line = next(line for line in text.splitlines() if line.lower().startswith(f"| {provider} | `"))
        ends = {name for name in tiers if not name.startswith("tier-")}
        assert all(f"`{name}`" in line for name in ends)
