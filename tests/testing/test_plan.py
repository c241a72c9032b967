"""What markers say, together and alone; what is not allowed is named."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.testing import plan
from llm_simulator.testing.plan import Marked


def marked(*marks: tuple[tuple[Any, ...], dict[str, Any]]) -> Marked:
    return plan.marked(marks)


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([], Marked()),
        ([((), {})], Marked()),
        ([(("shared",), {})], Marked(name="shared")),
        ([((), {"name": "shared"})], Marked(name="shared")),
        ([((), {"mode": "auto", "speed": 2, "seed": 7})], Marked(mode="auto", speed=2, seed=7)),
        ([((), {"mode": "auto"}), (("outer",), {"mode": "replay"})], Marked(name="outer", mode="auto")),
        ([((), {"speed": 0}), ((), {"speed": 3})], Marked(speed=0)),
        ([((), {"ignore": ["$.a"]}), ((), {"ignore": ["$.b", "$.a"]})], Marked(ignore=("$.a", "$.b"))),
        ([((), {"ignore": "$.a"})], Marked(ignore=("$.a",))),
        ([((), {"mode": None})], Marked()),
        (
            [((), {"on_miss": "error-response", "after_last": "miss"})],
            Marked(on_miss="error-response", after_last="miss"),
        ),
    ],
)
def test_the_closest_marker_that_names_a_thing_decides(marks: list[Any], expected: Marked) -> None:
    assert marked(*marks) == expected


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (
            (),
            {"moode": "x"},
            "@pytest.mark.llm_cassette: no argument 'moode'; "
            "allowed are name, mode, on_miss, ignore, after_last, speed, seed, scenario",
        ),
        (("a", "b"), {}, "@pytest.mark.llm_cassette takes one name, got ['a', 'b']"),
        (("a",), {"name": "b"}, "@pytest.mark.llm_cassette takes one name, got ['a', 'b']"),
        ((), {"mode": "live"}, f"@pytest.mark.llm_cassette: mode is 'live'; allowed are {', '.join(plan.MODES)}"),
        ((), {"on_miss": "x"}, "@pytest.mark.llm_cassette: on_miss is 'x'; allowed are fail, error-response"),
        ((), {"after_last": 1}, "@pytest.mark.llm_cassette: after_last is 1; allowed are repeat, cycle, miss, sample"),
        ((3,), {}, "@pytest.mark.llm_cassette: name is 3; str is allowed"),
        ((), {"seed": "7"}, "@pytest.mark.llm_cassette: seed is '7'; int is allowed"),
        ((), {"speed": "fast"}, "@pytest.mark.llm_cassette: speed is 'fast'; a number is allowed"),
    ],
)
def test_what_a_marker_may_not_say(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        marked((args, kwargs))
    assert str(error.value) == message


def test_the_first_that_says_anything() -> None:
    assert plan.first(None, "", "x") == ""
    assert plan.first(None, None) is None


@pytest.mark.parametrize(
    ("age", "expected"), [("90d", 90 * 86400), ("1.5h", 5400), ("30m", 1800), ("45s", 45), (" 2w ", 14 * 86400)]
)
def test_ages(age: str, expected: float) -> None:
    assert plan.seconds(age) == expected


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "1y"])
def test_what_is_no_age(age: str) -> None:
    with pytest.raises(ConfigError, match=r"--llm-max-age is .*; a number with s, m, h, d or w is allowed"):
        plan.seconds(age)
