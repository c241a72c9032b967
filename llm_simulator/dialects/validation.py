"""`validation: provider`: a call of sound structure is refused where its provider would refuse it, for natural causes.

Without it (`lenient`, the default) any key goes, retired models answer, limits are capped with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from llm_simulator.dialects.known_models import foreign
from llm_simulator.dialects.rules import Asked, Rule, first
from llm_simulator.types import Call, Condition

_RULES: Mapping[str, str] = {
    "openai": "rules_openai",
    "azure": "rules_azure",
    "anthropic": "rules_anthropic",
    "gemini": "rules_gemini",
    "vertex": "rules_gemini",
    "cohere": "rules_cohere",
    "mistral": "rules_mistral",
}


def validate(call: Call, prompt_tokens: Callable[[], int]) -> Condition | None:
    """What the provider of a call of sound structure (`check`) objects to first.

    None for a provider without rules, and at unknown hosts.
    """
    name = _RULES.get(call.provider)
    if name is None or foreign(call):
        return None
    module: ModuleType = import_module(f"llm_simulator.dialects.{name}")  # a lenient run does not pay for them
    rules: tuple[Rule, ...] = module.RULES
    return first(rules, Asked(call, prompt_tokens))
