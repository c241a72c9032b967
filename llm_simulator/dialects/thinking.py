"""Which models think before they answer, and how much where the request does not say.

Sources: recorded usage and the model pages of the providers. O-series and gpt-5 think unasked and report it in multiples of
64 tokens; later models think when asked to, count one by one, and often find that nothing needs thought (gpt-5.5: at low
effort 7 of 7 times, at high 2 of 7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.dialects.base import Thinking

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Habit:
    """How a model thinks: its `default` effort, whether `always` (then "none" means as little as it can).

    `step` and `sparing`: see Thinking.
    """

    default: str
    always: bool = False
    step: int = 1
    sparing: bool = False


_ASKED = Habit("none")
# The first pattern that matches the start of a model's name decides; a router's prefix ("openai/") does not count.
_HABITS: tuple[tuple[str, Habit | None], ...] = (
    (r"gpt-[5-9].*chat|chat-latest|gpt-5-search", None),
    (r"o\d", Habit("medium", always=True, step=64)),
    (r"gpt-5-pro", Habit("high", always=True, step=64)),
    (r"gpt-[5-9][.\d]*-pro", Habit("medium", always=True, sparing=True)),
    (r"gpt-5(-|$)", Habit("medium", always=True, step=64)),
    (r"gpt-5\.1(-\d|-mini|$)", Habit("none", step=64)),
    (r"gpt-5\.1-codex", Habit("medium", step=64)),
    (r"gpt-5\.\d+-codex", Habit("medium", sparing=True)),
    (r"gpt-[5-9]", Habit("none", sparing=True)),
    (r"codex", Habit("medium", always=True, step=64)),
    (r"gpt-oss", Habit("medium", always=True)),
    (r"deepseek-(reasoner|r1)", Habit("medium", always=True)),
    (
        r"(qwq|magistral|sonar-reasoning|command-a-reasoning|grok-(3-mini|[4-9](?!.*non-reasoning)))",
        Habit("medium", always=True),
    ),
    (r"qwen-?3", Habit("medium")),
    (r"claude-(3-7|opus-[4-9]|sonnet-[4-9]|haiku-(4-5|[5-9])|fable|mythos)", _ASKED),
    (r"gemini-2\.5-pro|gemini-[34].*pro|gemini-pro-latest", Habit("medium", always=True)),
    (r"gemini-(2\.5|3\.\d+)-flash-lite(?!.*tts)|gemini-flash-lite-latest", _ASKED),
    (r"gemini-(2\.5|[3-9])(?!.*(tts|image|live|audio|transcribe))|gemini-flash-latest", Habit("medium")),
)


@lru_cache(maxsize=1024)
def habit_of(model: str) -> Habit | None:
    """How a model thinks; None where it does not."""
    base = model.rpartition("/")[2].removeprefix("ft:").lower()
    return next((habit for pattern, habit in _HABITS if re.match(pattern, base)), None)


def thinking_of(model: str, effort: str = "", budget: int | None = None) -> Thinking | None:
    """What the model does with what was asked for; None where it does not think at all.

    `effort` is "" where the request says none, `budget` is in tokens (0 switches off, where that is possible).
    """
    habit = habit_of(model)
    if habit is None:
        return None
    wanted = effort if effort in EFFORTS else "medium" if budget else habit.default
    if wanted == "none" or budget == 0:
        return Thinking("minimal", None, habit.step, habit.sparing) if habit.always else None
    return Thinking(wanted, budget, habit.step, habit.sparing)
