"""The tools that OpenAI runs itself, as an answer shows that they were used: searches, code, images. Nothing is run.

A search on offer is used; code is run and an image made only where the request insists on it.
Source: OpenAI API reference (output items), and recorded traffic for the web search.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.dialects.ids import code
from llm_simulator.dialects.openai_responses_ids import Ids
from llm_simulator.dialects.pictures import picture
from llm_simulator.types import JSON

_WORD = re.compile(r"\w+")
_QUERY_WORDS = 12
_SEARCHES = ("web_search", "file_search")
_ON_DEMAND = ("code_interpreter", "image_generation")
_SIDE = 64  # pixels
_CODE = ("print", "(", "6", " *", " ", "7", ")")


@dataclass(frozen=True, slots=True)
class Hosted:
    """`kinds` of tools that are used, in order, with what the user said last; `shown` is the request's `include`."""

    kinds: tuple[str, ...] = ()
    query: str = ""
    shown: frozenset[str] = frozenset()


NO_TOOLS = Hosted()


def hosted_of(body: Object) -> Hosted:
    """Which of the tools on offer are used before the answer."""
    offered = [_plain(as_text(tool.get("type"))) for tool in objects(as_list(body.get("tools")))]
    choice = body.get("tool_choice")
    forced = _plain(as_text(as_object(choice).get("type")))
    wanted = (forced,) if forced in (*_SEARCHES, *_ON_DEMAND) else () if forced == "function" else _SEARCHES
    if choice == "none" or not any(kind in wanted for kind in offered):
        return NO_TOOLS
    shown = frozenset(name for name in as_list(body.get("include")) if isinstance(name, str))
    used = tuple(dict.fromkeys(kind for kind in offered if kind in wanted))
    return Hosted(used, " ".join(_last_words(body.get("input")).split()[:_QUERY_WORDS]) or "news", shown)


def is_covered(kind: str) -> bool:
    return _plain(kind) in (*_SEARCHES, *_ON_DEMAND)


def _plain(kind: str) -> str:
    """ "web_search_preview_2025_03_11" -> "web_search"."""
    return "web_search" if kind.startswith("web_search") else kind


def _last_words(given: JSON) -> str:
    """What the user said last."""
    if isinstance(given, str):
        return given
    said = [item.get("content") for item in objects(as_list(given)) if item.get("role") == "user"]
    last: JSON = said[-1] if said else ""
    if isinstance(last, str):
        return last
    return " ".join(as_text(part.get("text")) for part in objects(as_list(last)))


def calls_of(hosted: Hosted, ids: Ids) -> Iterator[tuple[Object, tuple[tuple[str, ...], ...]]]:
    """The items of the tools that were used, and the pieces of what is streamed of each."""
    for kind in hosted.kinds:
        match kind:
            case "web_search":
                action: Object = {"type": "search", "queries": [hosted.query], "query": hosted.query}
                yield {**_head("ws", kind, ids), "action": action}, ()
            case "file_search":
                results = [_hit(hosted, ids)] if "file_search_call.results" in hosted.shown else None
                yield {**_head("fs", kind, ids), "queries": [hosted.query], "results": results}, ()
            case "code_interpreter":
                logs = [{"type": "logs", "logs": "42\n"}] if "code_interpreter_call.outputs" in hosted.shown else None
                container = "cntr_" + ids.make("", "container").removeprefix("_")
                run: Object = {"code": "".join(_CODE), "container_id": container, "outputs": logs}
                yield {**_head("ci", kind, ids), **run}, (_CODE,)
            case _:
                yield {**_head("ig", kind, ids), "result": b64encode(picture(ids.seed, _SIDE, _SIDE)).decode()}, ()


def _head(prefix: str, kind: str, ids: Ids) -> Object:
    return {"id": ids.make(prefix, kind, 1), "type": f"{kind}_call", "status": "completed"}


def _hit(hosted: Hosted, ids: Ids) -> Object:
    return {**_file(ids), "attributes": {}, "score": 0.87, "text": hosted.query}


def _file(ids: Ids) -> Object:
    return {"file_id": "file-" + code(ids.seed, "file", 22), "filename": "notes.txt"}


def citations_of(hosted: Hosted, ids: Ids, text: str) -> list[Object]:
    """Where a text is said to be from: pages and files that do not exist."""
    cited: list[Object] = []
    if "web_search" in hosted.kinds and text:
        page = quote("-".join(_WORD.findall(hosted.query.lower())) or "page")
        cited.append(
            {
                "type": "url_citation",
                "end_index": len(text),
                "start_index": max(0, len(text) - 40),
                "title": hosted.query,
                "url": f"https://example.com/{page}?utm_source=openai",
            }
        )
    if "file_search" in hosted.kinds and text:
        cited.append({"type": "file_citation", **_file(ids), "index": len(text)})
    return cited
