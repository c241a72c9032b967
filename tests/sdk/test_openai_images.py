"""Images: DALL-E's and GPT's answers, streams in parts, and the pictures behind the URLs."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from desks import desk
from multiform import answer, asked, data_of, message, reply, sent, whole
from openai.types import ImageEditStreamEvent, ImageGenStreamEvent, ImagesResponse
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.pictures import picture
from llm_simulator.tokens.images import image_size
from llm_simulator.types import JSON, Call, RawRequest, header

PATH = "/v1/images/generations"
PNG = picture("an upload", 1024, 1024)


def generated(path: str = PATH, host: str = "api.openai.com", **body: JSON) -> JSON:
    found = answer(asked(path, {"prompt": "a cat", **body}, host=host), desk())
    if host == "api.openai.com":
        assert list(unknown(ImagesResponse.model_validate(found, strict=True))) == []
    return found


def fetched(url: str) -> bytes:
    """What we answer to whoever follows a URL without any header of ours."""
    parts = urlsplit(url)
    call = dialects.read(RawRequest("GET", parts.path, query=parts.query))
    found = reply(call, desk())
    assert (found.status, header(found.headers, "content-type")) == (200, f"image/{parts.path.rpartition('.')[2]}")
    assert isinstance(found.body, bytes)
    return found.body


def test_a_url_is_like_a_real_one_and_leads_back() -> None:
    found = generated(model="dall-e-2", size="256x256")
    assert list(found) == ["created", "data"]
    url = found["data"][0]["url"]
    assert url.startswith("http://127.0.0.1:8080/v1/private/org-llmsimulator/user-llmsimulator/img-")
    query = parse_qs(urlsplit(url).query)
    assert list(query) == [
        "st",
        "se",
        "sp",
        "sv",
        "sr",
        "rscd",
        "rsct",
        "skoid",
        "sktid",
        "skt",
        "ske",
        "sks",
        "skv",
        "sig",
    ]
    (packed,) = generated(model="dall-e-2", size="256x256", response_format="b64_json")["data"]
    assert fetched(url) == b64decode(packed["b64_json"])
    assert image_size(fetched(url)) == (256, 256)


def test_a_url_of_a_deployment() -> None:
    found = generated("/openai/deployments/my-dall-e-3/images/generations", "")
    (item,) = found["data"]
    assert list(item) == ["content_filter_results", "prompt_filter_results", "revised_prompt", "url"]
    assert image_size(fetched(item["url"])) == (1024, 1024)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize(("size", "pixels"), [("1536x1024", (1536, 1024)), ("auto", (1024, 1024)), ("64x32", (64, 32))])
def test_gpt_images(form: str, size: str, pixels: tuple[int, int]) -> None:
    found = generated(model="gpt-image-1", size=size, output_format=form, quality="low")
    assert list(found) == ["created", "background", "data", "output_format", "quality", "size", "usage"]
    assert (found["output_format"], found["quality"], found["size"]) == (form, "low", f"{pixels[0]}x{pixels[1]}")
    assert image_size(b64decode(found["data"][0]["b64_json"])) == pixels


def test_several_are_different_and_equal_orders_equal() -> None:
    found = generated(model="gpt-image-1", n=3)
    assert len({item["b64_json"] for item in found["data"]}) == 3
    assert generated(model="gpt-image-1", n=3) == found
    assert found["usage"]["output_tokens"] == 3 * 1056


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({}, "url"),
        ({"background": "transparent"}, "b64_json"),
        ({"quality": "high"}, "b64_json"),
        ({"quality": "hd", "model": "dall-e-3"}, "url"),
        ({"model": "gpt-image-2", "response_format": "url"}, "b64_json"),
    ],
)
def test_which_model_draws(body: JSON, shown: str) -> None:
    assert shown in generated(**body)["data"][0]


@pytest.mark.parametrize(
    ("quality", "size", "tokens"),
    [
        ("low", "1024x1024", 272),
        ("medium", "1024x1536", 1584),
        ("high", "1536x1024", 6208),
        ("auto", "1024x1024", 1056),
        ("high", "512x512", 1040),
    ],
)
def test_tokens_of_a_picture(quality: str, size: str, tokens: int) -> None:
    usage = generated(model="gpt-image-1", quality=quality, size=size)["usage"]
    assert usage["output_tokens"] == tokens
    assert usage["input_tokens_details"] == {"image_tokens": 0, "text_tokens": 2}
    assert usage["total_tokens"] == tokens + 2


@pytest.mark.parametrize(("parts", "kinds"), [(0, 0), (1, 1), (3, 3), (9, 3)])
def test_a_stream_of_parts(parts: int, kinds: int) -> None:
    call = asked(PATH, {"prompt": "a cat", "model": "gpt-image-1", "stream": True, "partial_images": parts})
    found = reply(call, desk())
    assert header(found.headers, "content-type").startswith("text/event-stream")
    body = whole(call, desk())
    events = data_of(body)
    assert [event["type"] for event in events] == ["image_generation.partial_image"] * kinds + [
        "image_generation.completed"
    ]
    assert [event.get("partial_image_index") for event in events[:-1]] == list(range(kinds))
    assert body.startswith(b"event: image_generation.")
    adapter: TypeAdapter[object] = TypeAdapter(ImageGenStreamEvent)
    assert all(not list(unknown(adapter.validate_python(event, strict=True))) for event in events)
    assert len({event["b64_json"] for event in events}) >= min(kinds, 2)


def edit(*fields: tuple[str, str], host: str = "api.openai.com") -> Call:
    files = [("image[]", "a.png", PNG), ("image[]", "b.png", PNG)]
    return sent("/v1/images/edits", [("prompt", "more"), ("model", "gpt-image-1"), *fields], files, host)


def test_an_edit_counts_the_pictures_that_it_was_given() -> None:
    usage = answer(edit(), desk())["usage"]
    assert usage["input_tokens_details"] == {"image_tokens": 2 * (65 + 129), "text_tokens": 1}
    faithful = answer(edit(("input_fidelity", "high")), desk())["usage"]
    assert faithful["input_tokens_details"]["image_tokens"] == 2 * (65 + 129 + 4160)


def test_a_streamed_edit() -> None:
    events = data_of(whole(edit(("stream", "true"), ("partial_images", "1")), desk()))
    assert [event["type"] for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    adapter: TypeAdapter[object] = TypeAdapter(ImageEditStreamEvent)
    assert all(not list(unknown(adapter.validate_python(event, strict=True))) for event in events)


def test_an_edit_in_json() -> None:
    body = {"prompt": "x", "images": [{"image_url": "https://x/y.png"}, {"file_id": "file-1"}]}
    assert answer(asked("/v1/images/edits", body), desk())["usage"]["input_tokens_details"]["image_tokens"] == 2 * (
        65 + 129
    )


def test_variations() -> None:
    call = sent("/v1/images/variations", [("n", "2"), ("size", "256x256")], [("image", "a.png", PNG)])
    assert [image_size(fetched(item["url"])) for item in answer(call, desk())["data"]] == [(256, 256)] * 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (asked(PATH, {}), "Missing required parameter: 'prompt'."),
        (asked(PATH, {"prompt": 1}), "Invalid type for 'prompt': expected a string, but got an integer"),
        (asked(PATH, {"prompt": "x", "n": 11}), "Invalid 'n': integer above maximum value. Expected a value <= 10"),
        (asked(PATH, {"prompt": "x", "n": 0}), "Invalid 'n': integer below minimum value. Expected a value >= 1"),
        (asked(PATH, {"prompt": "x", "size": "big"}), "Invalid value: 'big'. Supported values are: '1024x1024'"),
        (asked(PATH, {"prompt": "x", "size": "99999x1"}), "Invalid value: '99999x1'."),
        (sent("/v1/images/edits", [("prompt", "x")]), "Missing required parameter: 'image'."),
        (sent("/v1/images/edits", [], [("image", "a.png", PNG)]), "Missing required parameter: 'prompt'."),
        (sent("/v1/images/variations", [("n", "1")]), "Missing required parameter: 'image'."),
    ],
)
def test_what_is_refused(call: Call, words: str) -> None:
    status, text = message(call)
    assert (status, text[: len(words)]) == (400, words)


def test_a_name_that_we_never_gave() -> None:
    path = "/v1/private/org-x/user-x/img-" + "z" * 24 + ".png"
    assert image_size(fetched(f"http://h{path}")) is not None
    assert dialects.of(asked(path, method="POST")).check(asked(path, {})) is not None


@pytest.mark.shared
def test_recorded_requests_get_answers_of_the_recorded_shape(shared: Path) -> None:
    seen = 0
    with gzip.open(shared / "traffic" / "dev" / "traceloop__openllmetry.jsonl.gz", "rt") as lines:
        for line in map(json.loads, lines):
            if "/images/" not in line["path"] or line["status"] != 200:
                continue
            seen += 1
            call = asked(line["path"], line["request_body"])
            found, genuine = answer(call, desk()), json.loads(line["response_body"])
            assert list(found) == list(genuine)
            assert [list(item) for item in found["data"]] == [list(item) for item in genuine["data"]]
            ours, theirs = (parse_qs(urlsplit(made["data"][0]["url"]).query) for made in (found, genuine))
            assert list(ours) == list(theirs)
            headers = {name for name, _ in reply(call, desk()).headers}
            missing = line["response_headers"].keys() - headers
            assert missing <= {
                "access-control-allow-origin",  # in 2024 only
                "connection",
                "content-encoding",
                "date",
                "set-cookie",
                "transfer-encoding",
            }
    assert seen == 3
