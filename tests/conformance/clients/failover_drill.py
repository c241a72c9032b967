"""A LiteLLM router in front of two scenarios: one goes down and comes back, the other is healthy (docs/scenarios.md).

`python failover_drill.py BASE_URL` runs the drills against a simulator with the configuration of `test_failover_drill.py`
and prints one JSON object: by drill, which group of the router answered each request.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its prices from GitHub, and what comes next
os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"

import litellm
from litellm import Router

litellm.suppress_debug_info = True
BASE = sys.argv[1]
PATIENCE = 30.0


def deployment(group: str, model: str, where: str) -> dict[str, Any]:
    """A model of the router; `where` is the session and the host at the simulator."""
    params = {"model": model, "api_base": f"{BASE}/session/{where}", "api_key": "none", "max_retries": 0}
    return {"model_name": group, "litellm_params": params}


def openai(group: str, session: str) -> dict[str, Any]:
    return deployment(group, "openai/gpt-4o-mini", f"{session}/api.openai.com/v1")


def anthropic(group: str, session: str) -> dict[str, Any]:
    return deployment(group, "anthropic/claude-sonnet-4-5", f"{session}/api.anthropic.com")


def gemini(group: str, session: str) -> dict[str, Any]:
    return deployment(group, "gemini/gemini-2.5-flash", f"{session}/generativelanguage.googleapis.com/v1beta")


def router(*deployments: dict[str, Any], **options: Any) -> Router:
    """Each group falls back on all that come after it."""
    names = [one["model_name"] for one in deployments]
    fallbacks = [{name: names[at + 1 :]} for at, name in enumerate(names[:-1])]
    return Router(model_list=list(deployments), fallbacks=fallbacks, num_retries=0, **options)


def ask(through: Router, text: str, group: str = "primary") -> str:
    """The family of the model that answered; raises where none did."""
    answer: Any = through.completion(model=group, messages=[{"role": "user", "content": text}])
    assert answer.choices[0].message.content, answer
    return str(answer.model).split("-")[0]


def activate(scenario: str, session: str) -> None:
    url = f"{BASE}/admin/scenarios/{scenario}/activate?session={session}"
    urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=20).close()


def by_calls() -> list[str]:
    """Three calls of calm, four of outage, and calm again: every request is answered, four of them by the other one."""
    activate("outage-by-calls", "calls")
    activate("healthy", "backup")
    through = router(openai("primary", "calls"), anthropic("backup", "backup"), disable_cooldowns=True)
    return [ask(through, f"Question {at}") for at in range(10)]


def by_clock() -> list[str]:
    """Down from the start, by the clock; the router leaves a model that fails alone for a second, then tries it again."""
    activate("outage-by-clock", "clock")
    through = router(
        openai("primary", "clock"),
        anthropic("backup", "backup"),
        allowed_fails=0,
        cooldown_time=1,
        disable_cooldowns=False,
    )
    found: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while found[-2:] != ["gpt", "gpt"] and time.monotonic() < deadline:
        found.append(ask(through, f"Question {len(found)}"))
        time.sleep(0.1)
    return found


def library(session: str) -> list[str]:
    """The shipped `failover-drill`: OpenAI is down, Anthropic refuses half, Google is healthy."""
    activate("failover-drill", session)
    groups = openai("primary", session), anthropic("second", session), gemini("third", session)
    through = router(*groups, disable_cooldowns=True)
    return [ask(through, f"Question {at}") for at in range(12)]


if __name__ == "__main__":
    drills = {"calls": by_calls(), "clock": by_clock(), "library": library("one"), "again": library("two")}
    print(json.dumps(drills), flush=True)
