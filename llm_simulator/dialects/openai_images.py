"""Images: generated, edited and varied, whole or streamed in parts; and the pictures behind the URLs that DALL-E answers with.

What is drawn is a pattern whose colours follow from the prompt (`pictures.py`). A URL has the path and query of the real ones,
but leads back here; all that the picture is stands in its name, so that anybody may fetch it.
Source: OpenAI API reference (images), recorded traffic for DALL-E, openai.com/api/pricing for the tokens of a picture.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import urlencode

from llm_simulator import tokens
from llm_simulator.dialects import jsonstyle, openai_rest
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, dump, load, without
from llm_simulator.dialects.ids import code, digest, rfc3339, uuid
from llm_simulator.dialects.openai_wire import ALPHANUMERIC
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.pictures import FORMS, MOST_PIXELS, picture
from llm_simulator.dialects.routes_openai import OPENAI_IMAGES
from llm_simulator.dialects.structure import Rule
from llm_simulator.tokens.images import data_url_size, image_size
from llm_simulator.types import JSON, Call, Condition, Frame, Headers, RawRequest, Reply, Usage

FAMILY = "openai.images"
_PATH = re.compile(r"(?:/.*)?/images/(?P<task>generations|edits|variations)")
_FILE = re.compile(
    r"(?:/.*)?/private/org-[^/]+/user-[^/]+/img-(?P<drawn>\w{19})(?P<size>\w{5})\.(?P<form>png|jpeg|webp)"
)
_STATEFUL = ("images.generations", "images.edits", "images.variations")
_RULES = {
    "images.generations": (Rule("prompt", "string", required=True), Rule("n", "integer"), Rule("size", "string")),
    "images.edits": (Rule("prompt", "string", required=True), Rule("size", "string")),
    "images.variations": (Rule("size", "string"),),
}
_GPT = re.compile(r"gpt-image|chatgpt-image")
_GPT_DEFAULT, _DALLE_DEFAULT = "gpt-image-1.5", "dall-e-2"
_GPT_FIELDS = frozenset(("background", "moderation", "output_format", "output_compression", "stream", "partial_images"))
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_MOST = 10  # pictures
_MOST_PARTS = 3
_SSE = "text/event-stream; charset=utf-8"
# Tokens of a picture by quality: square, upright, across; other sizes by their area.
_TOKENS = {"low": (272, 408, 400), "medium": (1056, 1584, 1568), "high": (4160, 6240, 6208)}
_SQUARE, _OBLONG = 1024 * 1024, 1024 * 1536
_INPUT_BASE, _INPUT_TILE = 65, 129  # tokens of a picture that is edited, and of each tile of 512 pixels
_FAITHFUL = {True: 4160, False: 6240}  # with input_fidelity high, square or not, on top
_SAFE: Object = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be drawn."""

    model: str
    prompt: str
    width: int
    height: int
    number: int
    form: str
    quality: str
    transparent: bool
    as_url: bool
    gpt: bool

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def about(self) -> Object:
        """What a GPT image says of itself."""
        return {
            "background": "transparent" if self.transparent else "opaque",
            "output_format": self.form,
            "quality": self.quality,
            "size": self.size,
        }


class OpenAIImages(Plain):
    """POST .../images/generations, /edits, /variations; GET of a picture."""

    name = "openai_images"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("images", "streaming"))
    simulates: frozenset[str] = frozenset((*_STATEFUL, "images.file"))
    stateful: frozenset[str] = frozenset(_STATEFUL)  # nothing is kept, but a URL says how the client reaches us
    routes: tuple[Route, ...] = OPENAI_IMAGES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if _FILE.fullmatch(raw.path):
            return openai_rest.read_plain(raw, provider, FAMILY, "images.file" if raw.method == "GET" else "unknown")
        match = _PATH.fullmatch(raw.path) if "/images/" in raw.path else None
        if not match or not openai_rest.speaks_openai(provider, raw.path):
            return None
        operation = f"images.{match['task']}" if raw.method == "POST" else "unknown"
        read = openai_rest.read_json if operation == "images.generations" else openai_rest.read_form
        return read(raw, provider, FAMILY, operation)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "images.file":
            return None
        return openai_rest.structure(call, _RULES.get(call.operation, ())) or _wrong(call, as_object(call.body))

    def respond(self, call: Call, desk: Desk) -> Reply:
        if call.operation == "images.file":
            return _file(call, desk.seed.hex())
        order = _order(call)
        usage = _usage(call, order) if order.gpt else None
        if call.stream and usage:
            return Reply(200, openai_rest.success(call, desk.seed.hex(), _SSE), _streamed(call, order, usage, desk))
        body = _gpt(call, order, usage, desk) if usage else _dalle(call, order, desk)
        return Reply(200, openai_rest.success(call, desk.seed.hex()), jsonstyle.indented(body))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        usage = as_object(as_object(load(body)).get("usage")) if status == 200 else {}
        given, made = usage.get("input_tokens"), usage.get("output_tokens")
        return Usage(given, made, exact=False, raw=usage) if isinstance(given, int) and isinstance(made, int) else None


# Reading


def _order(call: Call) -> _Order:
    body = as_object(call.body)
    model = _model(call, body)
    gpt = _GPT.search(model) is not None
    width, height = _dimensions(body.get("size"))
    quality = as_text(body.get("quality"))
    form = as_text(body.get("output_format")) if gpt else "png"
    return _Order(
        model,
        as_text(body.get("prompt")),
        width,
        height,
        openai_rest.whole(body.get("n"), 1),
        form if form in FORMS else "png",
        quality if quality in _TOKENS else "medium",
        body.get("background") == "transparent" and form != "jpeg",
        body.get("response_format") != "b64_json",
        gpt,
    )


def _model(call: Call, body: Object) -> str:
    """DALL-E 2, unless something is edited or asked for that only GPT images have."""
    if call.model:
        return call.model
    gpt = call.operation == "images.edits" or _GPT_FIELDS & body.keys() or as_text(body.get("quality")) in _TOKENS
    return _GPT_DEFAULT if gpt else _DALLE_DEFAULT


def _dimensions(size: JSON) -> tuple[int, int]:
    match = _SIZE.fullmatch(as_text(size))
    return (int(match[1]), int(match[2])) if match else (1024, 1024)


def _wrong(call: Call, body: Object) -> Condition | None:
    if call.operation != "images.generations" and not any(body.get(name) for name in ("image", "images")):
        name = "missing_required_parameter"
        return refusal(name, "Missing required parameter: 'image'.", "image", name)
    if call.operation == "images.edits" and not body.get("prompt"):
        name = "missing_required_parameter"
        return refusal(name, "Missing required parameter: 'prompt'.", "prompt", name)
    return _wrong_number(body.get("n")) or _wrong_size(body.get("size"))


def _wrong_number(given: JSON) -> Condition | None:
    number = 1 if given is None else openai_rest.whole(given, 0)
    if 1 <= number <= _MOST:
        return None
    above = number > _MOST
    bound = f"maximum value. Expected a value <= {_MOST}" if above else "minimum value. Expected a value >= 1"
    name = "integer_above_max_value" if above else "integer_below_min_value"
    text = f"Invalid 'n': integer {'above' if above else 'below'} {bound}, but got {number} instead."
    return refusal(name, text, "n", name)


def _wrong_size(given: JSON) -> Condition | None:
    if given in (None, "auto"):
        return None
    match = _SIZE.fullmatch(as_text(given))
    if match and max(int(match[1]), int(match[2])) <= MOST_PIXELS:
        return None
    return openai_rest.invalid_value("size", str(given), ("1024x1024", "1024x1536", "1536x1024", "auto"))


# Drawing


def _drawn(order: _Order, place: int) -> str:
    """What a picture is drawn from: equal orders get equal pictures."""
    return code(f"{order.model}\0{order.prompt}\0{order.size}\0{place}", "image", 19, ALPHANUMERIC)


def _bytes(order: _Order, place: int, shown: int = 8) -> bytes:
    return picture(_drawn(order, place), order.width, order.height, order.form, order.transparent, shown)


def _base64(order: _Order, place: int, shown: int = 8) -> str:
    return b64encode(_bytes(order, place, shown)).decode("ascii")


def _file(call: Call, seed: str) -> Reply:
    """A picture that an earlier answer pointed at."""
    names = [openai_rest.named(_FILE, call.raw, group) for group in ("drawn", "size", "form")]
    width, height = _unpacked(names[1])
    headers = (
        ("content-type", f"image/{names[2]}"),
        ("x-ms-request-id", uuid(seed, "blob")),
        ("x-ms-version", "2026-02-06"),
        ("x-ms-blob-type", "BlockBlob"),
        ("content-disposition", "inline"),
    )
    return Reply(200, headers, picture(names[0], width, height, names[2]))


def _packed(width: int, height: int) -> str:
    number, text = width * (MOST_PIXELS + 1) + height, ""
    for _ in range(5):
        number, digit = divmod(number, len(ALPHANUMERIC))
        text = ALPHANUMERIC[digit] + text
    return text


def _unpacked(text: str) -> tuple[int, int]:
    number = 0
    for sign in text:
        number = number * len(ALPHANUMERIC) + max(ALPHANUMERIC.find(sign), 0)
    width, height = divmod(number, MOST_PIXELS + 1)
    return min(max(width, 1), MOST_PIXELS), max(height, 1)


def _url(call: Call, order: _Order, place: int, desk: Desk) -> str:
    """The shape of a real one: a blob with a signature that is good for two hours."""
    account = digest("account", "image").hex()
    query = urlencode(
        {
            "st": rfc3339(desk.created - 3600),
            "se": rfc3339(desk.created + 3600),
            "sp": "r",
            "sv": "2026-02-06",
            "sr": "b",
            "rscd": "inline",
            "rsct": f"image/{order.form}",
            "skoid": uuid(account, "object"),
            "sktid": uuid(account, "tenant"),
            "skt": rfc3339(desk.created - 7200),
            "ske": rfc3339(desk.created + 79_200),
            "sks": "b",
            "skv": "2026-02-06",
            "sig": b64encode(digest(_drawn(order, place), "signature", 32)).decode("ascii"),
        }
    )
    base = desk.base_url + ("/openai/v1" if call.provider == "azure" else "/v1")
    name = f"img-{_drawn(order, place)}{_packed(order.width, order.height)}.{order.form}"
    return f"{base}/private/org-llmsimulator/user-llmsimulator/{name}?{query}"


# Spelling


def _dalle(call: Call, order: _Order, desk: Desk) -> Object:
    return {"created": desk.created, "data": [_image(call, order, place, desk) for place in range(order.number)]}


def _image(call: Call, order: _Order, place: int, desk: Desk) -> Object:
    image: Object = {}
    if "dall-e-3" in order.model or call.provider == "azure":
        image["revised_prompt"] = order.prompt
    if order.as_url:
        image["url"] = _url(call, order, place, desk)
    else:
        image["b64_json"] = _base64(order, place)
    if call.provider == "azure":
        safe_words = {**_SAFE, "profanity": {"detected": False, "filtered": False}}
        image = {"content_filter_results": _SAFE, "prompt_filter_results": safe_words, **image}
    return image


def _gpt(call: Call, order: _Order, usage: Object, desk: Desk) -> Object:
    about = order.about
    return {
        "created": desk.created,
        "background": about.pop("background"),
        "data": [{"b64_json": _base64(order, place)} for place in range(order.number)],
        **about,
        "usage": usage,
    }


def _streamed(call: Call, order: _Order, usage: Object, desk: Desk) -> tuple[Frame, ...]:
    """Parts that show ever more rows, then the whole picture with what it cost."""
    kind = "image_edit" if call.operation == "images.edits" else "image_generation"
    parts = min(max(openai_rest.whole(as_object(call.body).get("partial_images"), 0), 0), _MOST_PARTS)
    events: list[Object] = []
    for place in range(parts):
        shown = 8 * (place + 1) // (parts + 1)
        part: Object = {"b64_json": _base64(order, 0, shown), "partial_image_index": place}
        events.append({"type": f"{kind}.partial_image", "created_at": desk.created, **order.about, **part})
    whole: Object = {"b64_json": _base64(order, 0), "usage": without(usage, "output_tokens_details")}
    events.append({"type": f"{kind}.completed", "created_at": desk.created, **order.about, **whole})
    return tuple(
        Frame(place, b"event: %s\ndata: %s\n\n" % (event["type"].encode(), dump(event)))
        for place, event in enumerate(events)
    )


# Usage of GPT images


def _usage(call: Call, order: _Order) -> Object:
    text = tokens.count(order.prompt, order.model)
    body = as_object(call.body)
    sizes = _input_sizes(call, body)
    seen = sum(_input_tokens(size, body.get("input_fidelity") == "high") for size in sizes)
    made = order.number * _picture_tokens(order)
    return {
        "input_tokens": text + seen,
        "input_tokens_details": {"image_tokens": seen, "text_tokens": text},
        "output_tokens": made,
        "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
        "total_tokens": text + seen + made,
    }


def _picture_tokens(order: _Order) -> int:
    square, upright, across = _TOKENS[order.quality]
    area = order.width * order.height
    if order.width == order.height:
        return round(square * area / _SQUARE)
    return round((upright if order.height > order.width else across) * area / _OBLONG)


def _input_sizes(call: Call, body: Object) -> list[tuple[int, int]]:
    """The pictures of the request; of one that is only named we do not know the size."""
    if call.operation == "images.generations":
        return []
    parts, problem = openai_rest.uploads(call.raw)
    if not problem:
        files = [part for part in parts if part.filename and part.name in ("image", "image[]")]
        return [image_size(part.content) or (1024, 1024) for part in files]
    given = [as_object(item) for item in as_list(body.get("images"))]
    return [data_url_size(as_text(item.get("image_url"))) or (1024, 1024) for item in given]


def _input_tokens(size: tuple[int, int], faithful: bool) -> int:
    """The shorter side is scaled down to 512 pixels, the longer one cut into tiles."""
    shorter, longer = min(size), max(size)
    scale = min(1.0, 512 / shorter)
    tiles = -(-int(shorter * scale) // 512) * -(-int(longer * scale) // 512)
    return _INPUT_BASE + _INPUT_TILE * tiles + (_FAITHFUL[shorter == longer] if faithful else 0)


DIALECT = OpenAIImages()
