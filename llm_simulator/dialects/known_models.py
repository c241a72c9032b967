"""Which model names a provider answers: those it lists, and whole families of them; an unknown one is refused in its words.

A family is wide enough for models that came after this release and for those that are long retired, and narrow enough
that a misspelt name ("gpt-nope", "claude-does-not-exist") is told. Hosts that serve whatever is installed on them
(OpenAI-compatible ones other than OpenAI, unknown hosts) have no list: any name goes. So does any Azure deployment, whose
name its owner chose, unless the provider's own strictness is wanted. Source: the providers' model and deprecation pages,
and the names in recorded traffic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import unquote

from llm_simulator.dialects import conditions
from llm_simulator.dialects.catalogue import find, models
from llm_simulator.dialects.resolve import provider_of
from llm_simulator.types import Call, Condition

NEAREST = 3

_FAMILIES: Mapping[str, re.Pattern[str]] = {
    "openai": re.compile(
        r"gpt-(?:\d|oss|image|audio|realtime|live|transcribe|chat-)|chatgpt-|chat-latest|o\d+(?:-|$)|dall-e-\d|tts-\d|whisper-"
        r"|text-(?:embedding|moderation|davinci|curie|babbage|ada|similarity|search)-|omni-moderation-|sora-\d|codex-|ft:"
        r"|(?:davinci|curie|babbage|ada)(?:-|:|$)|code-(?:davinci|cushman|search)-|computer-use-|muse-spark-\d"
    ),
    "anthropic": re.compile(r"claude-(?:v?\d|instant|opus|sonnet|haiku|fable|mythos)"),
    "gemini": re.compile(
        r"gemini-(?:\d|pro|ultra|flash|nano|exp-|omni|robotics|live|embedding)|gemma-|learnlm-|imagen-|veo-|lyria-|medlm-|aqa$"
        r"|(?:chat|text|code|codechat)-(?:bison|unicorn|gecko)|(?:text-|multimodal|text-multilingual-)?embedding-?(?:\d|gecko|$)"
        r"|nano-banana-|deep-research-|tunedModels/|corpora/"
    ),
    "cohere": re.compile(
        r"command$|command-(?:r|a)\d*(?:b|-|$)|command-(?:light|nightly|xlarge|medium|text)|c4ai-|aya-|tiny-aya|summarize-"
        r"|(?:embed|rerank)-(?:english|multilingual|v?\d)|base(?:-light)?$|(?:small|medium|large|xlarge)$|[0-9a-f-]{36}-ft$"
    ),
    "mistral": re.compile(
        r"(?:open-)?mi[sx]tral-(?:tiny|small|medium|large|nemo|embed|moderation|ocr|saba|code|vibe|\d)|open-codestral-|ft:"
        r"|(?:ministral|magistral|codestral|devstral|pixtral|voxtral|mathstral)(?:-|$)|labs-"
    ),
}
_OPEN = re.compile(  # what people run on machines of their own and reach by a bare path, which names no provider
    r".*[/:]|(?:meta-)?llama|(?:codellama|tinyllama|qwen|qwq|deepseek|grok|phi|gemma|yi-|falcon|vicuna|mi[sx]tral|solar)"
    r"|kimi|moonshot|glm|sonar|palmyra|nova|titan|jamba|granite|starcoder|smollm|nomic|bge-|all-minilm|mxbai|e5-"
)
_LISTS: Mapping[str, str] = {"vertex": "gemini"}  # whose families and list a provider shares
_RETIRED_OPENAI = re.compile(
    r"text-(?:davinci|curie|babbage|ada)-0|code-|gpt-3\.5-turbo-(?:0301|0613|16k-0613)$|gpt-4-(?:0314|32k|vision-preview)"
    r"|(?:davinci|curie|babbage|ada)$"
)
_COMPATIBLE = ("/openai/chat/completions", "/openai/embeddings")
_LOOK_UPS = "models."  # operations on the list itself say "not found" themselves
_MODES = {"chat": "chat", "responses.create": "chat", "embeddings.create": "embedding", "embed": "embedding"}


def answered(call: Call, more: Collection[str] = (), strict: bool = False) -> bool:
    """Whether the provider of the call answers its model; `more` are names that the user has configured.

    `strict`: an Azure deployment must be named like a model, or be among them, and a bare path means OpenAI itself.
    """
    if call.provider == "azure" and strict and call.model:
        return call.model in more or _anyones(call.model)
    provider = _LISTS.get(call.provider, call.provider)
    family = _FAMILIES.get(provider)
    if family is None or not call.model or call.operation.startswith(_LOOK_UPS) or foreign(call):
        return True
    name = call.model.removeprefix("models/")
    if name in more or call.model in more or find(provider, name) or family.match(name):
        return True
    if call.provider == "vertex" and "/publishers/google/" not in call.raw.path:
        return True  # another publisher's model, or an endpoint of one's own
    return not strict and not call.raw.host and provider == "openai" and _anyones(name)


def familiar(name: str) -> bool:
    """Whether some provider has models of such names."""
    return any(family.match(name) for family in _FAMILIES.values())


def foreign(call: Call) -> bool:
    """Whether it goes to a host that no provider is known to have (a gateway, a server of one's own): it sets the rules."""
    return bool(call.raw.host) and not provider_of(call.raw.host)


def _anyones(name: str) -> bool:
    """Whether a client that came by a bare path may mean another server than OpenAI's own."""
    return bool(_OPEN.match(name.lower())) or any(family.match(name) for family in _FAMILIES.values())


def retired(call: Call) -> bool:
    """Whether the provider no longer serves the model: it is of its families, but of its list no more."""
    provider = _LISTS.get(call.provider, call.provider)
    name = call.model.removeprefix("models/")
    if provider == "openai":
        return bool(_RETIRED_OPENAI.match(name))
    if provider not in ("anthropic", "gemini", "cohere") or "/" in name or name.endswith("-ft"):
        return False
    if call.operation != "chat" or find(provider, name):  # the lists hold few models of other kinds
        return False
    return bool(_FAMILIES[provider].match(name))


def unknown(call: Call, more: Collection[str] = (), hidden: Callable[[str, str], bool] | None = None) -> Condition:
    """The refusal of a model that is not `answered`, with those that are there under our own key.

    `hidden` says of which (provider, model) nothing is to be known, though the provider has it.
    """
    provider = _LISTS.get(call.provider, call.provider) if call.provider != "azure" else ""
    mode = _MODES.get(call.operation)
    listed = [model.id for model in models(provider) if mode in (None, model.mode)]
    listed += [name for name in more if name not in listed]
    if hidden is not None:
        listed = [name for name in listed if not hidden(call.provider, name)]
    if not listed:
        return not_found(call)
    from difflib import get_close_matches  # not for the many calls whose model is known

    extra: dict[str, list[str]] = {"available_models": listed}
    if near := get_close_matches(call.model, listed, NEAREST):
        extra = {"nearest": near, **extra}
    return not_found(call, extra)


def not_found(call: Call, extra: object = None) -> Condition:
    """What a provider says of a model that it does not have: 404, at OpenAI's Responses and at Mistral 400."""
    name, words = _words(call)
    entry = conditions.find(name)
    assert entry is not None, name
    message = words or conditions.raised(name, model=call.model).message
    return Condition(name, entry.status or 404, message, extra=extra, retry=False, values=(("model", call.model),))


def no_longer(call: Call) -> Condition:
    """What a provider says of a model that it has retired."""
    names = {"openai": "openai.model_deprecated", "gemini": "gemini.model_retired", "cohere": "cohere.model_removed"}
    name = names.get(call.provider)
    return conditions.raised(name, model=call.model.removeprefix("models/")) if name else not_found(call)


def _words(call: Call) -> tuple[str, str]:
    """The condition, and its words where the catalogue has an example only."""
    path = unquote(call.raw.path)
    match call.provider:
        case "vertex":
            resource = path.partition("/projects/")[2].rpartition(":")[0]
            return "gemini.model_not_found", f"Publisher Model `projects/{resource}` not found."
        case "gemini" if path.endswith(_COMPATIBLE):
            words = conditions.raised("gemini.openai_compat_model_not_found").message
            return "gemini.openai_compat_model_not_found", words.replace(
                "gemini-nope", call.model.removeprefix("models/")
            )
        case "gemini" if path.rstrip("/").endswith("/interactions"):
            return "gemini.interactions_model_not_found", ""
        case "gemini":
            version, method = path.strip("/").partition("/")[0], path.rpartition(":")[2]
            name = call.model.removeprefix("models/")
            raised = conditions.raised("gemini.model_not_found", model=name, version=version, method=method)
            return raised.name, raised.message
        case "mistral":
            return "mistral.invalid_model", f"Invalid model: {call.model}"
        case "azure":
            return "azure.deployment_not_found", ""
        case "anthropic" | "cohere":
            return f"{call.provider}.model_not_found", ""
        case _:
            responses = path.rstrip("/").endswith("/responses")
            return f"openai.model_not_found{'_responses' if responses else ''}", ""
