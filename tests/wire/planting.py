"""Secrets of every provider's key shape, where providers and programs carry them, and the search for what is left of one.

A `Case` is one call with its answer; `secrets` are those planted in it. All of it is drawn from one seed.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote, quote_plus

from standin import Script

PIECE = 12
"""The shortest run of a secret's characters that counts as a leak."""

ALNUM = string.ascii_letters + string.digits
WORD = ALNUM + "-_"
HEX = "0123456789abcdef"

# Each provider's shape: prefix, alphabet, length of the rest.
SHAPES = {
    "openai": ("sk-", ALNUM, 48),
    "openai project": ("sk-proj-", WORD, 120),
    "openai service account": ("sk-svcacct-", WORD, 60),
    "openai admin": ("sk-admin-", WORD, 60),
    "anthropic": ("sk-ant-api03-", WORD, 93),
    "openrouter": ("sk-or-v1-", HEX, 64),
    "google": ("AIza", WORD, 35),
    "google oauth": ("ya29.", WORD, 80),
    "groq": ("gsk_", ALNUM, 52),
    "xai": ("xai-", ALNUM, 80),
    "hugging face": ("hf_", ALNUM, 34),
    "replicate": ("r8_", ALNUM, 37),
    "perplexity": ("pplx-", ALNUM, 48),
    "fireworks": ("fw_", ALNUM, 24),
    "cerebras": ("csk-", ALNUM, 48),
    "nvidia": ("nvapi-", WORD, 64),
    "langsmith": ("lsv2_pt_", HEX, 32),
    "tavily": ("tvly-", ALNUM, 32),
    "aws": ("AKIA", string.ascii_uppercase + string.digits, 16),
    "github": ("ghp_", ALNUM, 36),
    "gitlab": ("glpat-", ALNUM, 20),
    "slack": ("xoxb-", string.digits, 24),
    "stripe": ("sk_live_", ALNUM, 24),
}
SHAPELESS = {"azure": (HEX, 32), "cohere": (ALNUM, 40), "mistral": (ALNUM, 32), "together": (HEX, 64)}


class Mint:
    """Makes secrets, no two alike, and answers that carry them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def draw(self, alphabet: str, length: int) -> str:
        return "".join(self.chance.choices(alphabet, k=length - 1)) + self.chance.choice(string.digits)

    def shaped(self, name: str) -> str:
        prefix, alphabet, length = SHAPES[name]
        return prefix + self.draw(alphabet, length)

    def azure(self) -> str:
        return self.draw(ALNUM, 52) + "JQQJ99" + self.draw(ALNUM, 26)

    def jwt(self) -> str:
        parts = (json.dumps({"alg": "HS256"}), json.dumps({"sub": self.draw(ALNUM, 30)}))
        coded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
        return ".".join((*coded, self.draw(WORD, 43)))

    def shapeless(self, name: str = "mistral") -> str:
        return self.draw(*SHAPELESS[name])

    def every_shape(self) -> list[str]:
        return [*map(self.shaped, SHAPES), self.azure(), self.jwt()]


PLAIN = Script(chunks=((0.0, b'{"id": "x", "choices": []}'),), chunked=False)


@dataclass
class Case:
    """One call with its answer. `replays`: whether the same call with other secrets finds the recording."""

    name: str
    target: str
    secrets: list[str]
    headers: list[tuple[str, str]] = field(default_factory=lambda: list[tuple[str, str]]())
    body: bytes | None = None
    answer: Script = PLAIN
    replays: bool = True
    complete: bool = True


OPENAI = "/api.openai.com/v1"
CHAT = f"{OPENAI}/chat/completions"
JSON_HEADERS = (("content-type", "application/json"),)
SSE_HEADERS = (("content-type", "text/event-stream"),)


def chat(case: str, content: str = "hi", **more: Any) -> bytes:
    """A chat request whose text names its case, so that no two are equal."""
    messages = [{"role": "user", "content": f"case {case}: {content}"}]
    return json.dumps({"model": "gpt-4o", "messages": messages, **more}).encode()


def json_answer(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Script:
    body = json.dumps(value).encode()
    return Script(status, (*JSON_HEADERS, *headers), ((0.0, body[:40]), (0.002, body[40:])), chunked=False)


def cases(mint: Mint, env: tuple[str, ...]) -> list[Case]:
    """All cases; `env` are the values of secret environment variables, which have no shape."""
    return [
        *_headers(mint),
        *_urls(mint, env),
        *_bodies(mint, env),
        *_answers(mint, env),
        *_streams(mint, env),
        *_failures(mint, env),
    ]


def _headers(mint: Mint) -> Iterator[Case]:
    carried = {
        "authorization": f"Bearer {mint.shaped('openai project')}",
        "x-api-key": mint.shaped("anthropic"),
        "api-key": mint.shapeless("azure"),
        "x-goog-api-key": mint.shaped("google"),
        "cookie": f"session={mint.shapeless()}; theme=dark",
        "x-acme-token": mint.shapeless("together"),
        "x-client-secret": mint.shapeless("cohere"),
        "ocp-apim-subscription-key": mint.shapeless("azure"),
    }
    for name, value in carried.items():
        secret = value.removeprefix("Bearer ").removeprefix("session=").removesuffix("; theme=dark")
        yield Case(name, CHAT, [secret], [(name, value)], chat(name))
    for name in ("cohere", "mistral", "together"):
        secret = mint.shapeless(name)
        yield Case(f"bearer {name}", CHAT, [secret], [("Authorization", f"Bearer {secret}")], chat(f"bearer {name}"))
    password = mint.shapeless()
    pair = base64.b64encode(f"user:{password}".encode()).decode()
    yield Case("basic", CHAT, [password, pair], [("authorization", f"Basic {pair}")], chat("basic"))


def _urls(mint: Mint, env: tuple[str, ...]) -> Iterator[Case]:
    gemini = "/generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:generateContent"
    body = b'{"contents":[{"parts":[{"text":"hi"}]}]}'
    for name in ("key", "api_key", "access_token", "sig", "X-Amz-Signature", "token"):
        secret = mint.shapeless()
        yield Case(f"?{name}", f"{gemini}?alt=json&{name}={secret}&case={name}", [secret], [], body)
    for number, secret in enumerate(env):
        target = f"{OPENAI}/files/{number}?note={quote(secret, safe='')}&case=note"
        yield Case(f"query value {number}", target, [secret], replays=False)
        target = f"{OPENAI}/files/{quote(secret, safe='')}/{number}"
        yield Case(f"path {number}", target, [secret], replays=False)
        yield Case(f"session {number}", f"/session/{quote(secret, safe='')}{CHAT}", [secret], [], chat(f"s{number}"))
    secret = mint.shaped("openai project")
    yield Case("path shaped", f"{OPENAI}/keys/{secret}/usage", [secret])
    model = mint.shaped("groq")
    yield Case("model", CHAT, [model], [], json.dumps({"model": model, "messages": []}).encode())


def _bodies(mint: Mint, env: tuple[str, ...]) -> Iterator[Case]:
    shaped = mint.every_shape()
    yield Case("every shape in a text", CHAT, shaped, [], chat("shapes", "\n".join(f"k: {key}" for key in shaped)))
    yield Case("environment in a text", CHAT, list(env), [], chat("env", " and ".join(env)))
    nested = [mint.shapeless(), mint.shapeless("cohere"), mint.shaped("aws")]
    arguments = json.dumps({"api_key": nested[0], "deep": json.dumps({"password": nested[1], "aws": nested[2]})})
    call = {"id": "c1", "type": "function", "function": {"name": "deploy", "arguments": arguments}}
    message = {"role": "assistant", "tool_calls": [call]}
    yield Case("tool arguments", CHAT, nested, [], json.dumps({"model": "gpt-4o", "messages": [message]}).encode())
    named = [mint.shapeless(), mint.shapeless(), mint.shapeless()]
    metadata = {"access_token": named[0], "clientSecret": named[1], "DB_PASSWORD": named[2]}
    yield Case("metadata", CHAT, named, [], chat("metadata", metadata=metadata))
    form = [mint.shapeless(), mint.shaped("stripe"), mint.shapeless("together")]
    fields = f"client_secret={form[0]}&note={form[1]}&api_key={form[2]}&env={quote_plus(env[1])}".encode()
    coded = [("content-type", "application/x-www-form-urlencoded")]
    yield Case("form", f"{OPENAI}/oauth/token", [*form, env[1]], coded, fields)
    parts = [mint.shapeless(), mint.shaped("github")]
    yield Case(
        "multipart",
        f"{OPENAI}/audio/transcriptions",
        [*parts, env[0]],
        [("content-type", "multipart/form-data; boundary=XyZ")],
        _multipart(("api_key", parts[0]), ("prompt", f"say {parts[1]}"), ("file", f"MY_SERVICE_TOKEN={env[0]}\n")),
    )
    zipped = [mint.shaped("slack"), env[0]]
    packed = gzip.compress(chat("gzip request", " ".join(zipped)), mtime=0)
    yield Case("gzip request", CHAT, zipped, [("content-encoding", "gzip")], packed)


def _multipart(*parts: tuple[str, str]) -> bytes:
    out = b""
    for name, value in parts:
        extra = '; filename="a.env"\r\ncontent-type: text/plain' if name == "file" else ""
        out += f'--XyZ\r\ncontent-disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'.encode()
    return out + b"--XyZ--\r\n"


def _answers(mint: Mint, env: tuple[str, ...]) -> Iterator[Case]:
    head = [mint.shapeless(), mint.shapeless("cohere"), mint.shapeless("azure"), mint.shaped("hugging face")]
    headers = (
        ("set-cookie", f"sid={head[0]}; Path=/; HttpOnly"),
        ("set-cookie", f"other={head[1]}"),
        ("x-auth-token", head[2]),
        ("x-note", f"try {head[3]} or {env[0]}"),
        ("openai-organization", "acme-" + head[2]),
    )
    yield Case("answer headers", CHAT, [*head, env[0]], [], chat("headers"), json_answer({"id": "h"}, 200, headers))
    shaped = [*mint.every_shape(), *env]
    text = json_answer({"choices": [{"message": {"content": " ".join(shaped)}}]})
    yield Case("answer text", CHAT, shaped, [], chat("text"), text)
    named = [mint.shapeless(), mint.shapeless(), "ek_" + mint.shapeless("cohere")]
    value = {"secret": named[0], "data": [{"api_key": named[1]}], "client_secret": {"value": named[2]}}
    yield Case("answer members", CHAT, named, [], chat("members"), json_answer(value))
    gzipped = [mint.shaped("openai"), env[1], mint.shaped("google")]
    packed = gzip.compress(json.dumps({"text": " ".join(gzipped)}).encode() * 3, mtime=0)
    halves = ((0.0, packed[:30]), (0.002, packed[30:]))
    coded = Script(200, (*JSON_HEADERS, ("content-encoding", "gzip")), halves, chunked=False)
    yield Case("answer gzip", CHAT, gzipped, [("accept-encoding", "gzip")], chat("gzip"), coded)


def _streams(mint: Mint, env: tuple[str, ...]) -> Iterator[Case]:
    for name, frame in DELTAS.items():
        for tokens in (1, 2, 5):
            secrets = [mint.shaped("openai project"), *env, mint.shaped("aws"), mint.shaped("google")]
            pieces = [piece for secret in secrets for piece in ("see ", *_split(mint, secret, tokens), ". ")]
            raw = "".join(map(frame, pieces)).encode() + b"data: [DONE]\n\n"
            answer = Script(headers=SSE_HEADERS, chunks=tuple(_cut(mint, raw)))
            yield Case(f"{name} in {tokens}", CHAT, secrets, [], chat(f"{name} {tokens}"), answer)
    secrets = [mint.shaped("anthropic"), env[0]]
    raw = "".join(openai_delta(piece) for secret in secrets for piece in _split(mint, secret, 3)).encode()
    packed = gzip.compress(raw, mtime=0)
    coded = Script(headers=(*SSE_HEADERS, ("content-encoding", "gzip")), chunks=tuple(_cut(mint, packed)))
    yield Case("gzip stream", CHAT, secrets, [("accept-encoding", "gzip")], chat("gzip stream"), coded)


def openai_delta(text: str) -> str:
    chunk = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    return f"data: {json.dumps(chunk)}\n\n"


def _tool_delta(text: str) -> str:
    call = {"index": 0, "function": {"arguments": json.dumps(text)[1:-1]}}
    return f"data: {json.dumps({'id': 'c', 'choices': [{'index': 0, 'delta': {'tool_calls': [call]}}]})}\n\n"


def _response_delta(text: str) -> str:
    event = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": text}
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _anthropic_delta(text: str) -> str:
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return f"event: content_block_delta\ndata: {json.dumps(event)}\n\n"


def _anthropic_input(text: str) -> str:
    partial = {"type": "input_json_delta", "partial_json": json.dumps(text)[1:-1]}
    return f"data: {json.dumps({'type': 'content_block_delta', 'index': 1, 'delta': partial})}\n\n"


def _gemini_delta(text: str) -> str:
    content = {"role": "model", "parts": [{"text": text}]}
    return f"data: {json.dumps({'candidates': [{'content': content, 'index': 0}]})}\r\n\r\n"


def _cohere_delta(text: str) -> str:
    event = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}
    return f"event: content-delta\ndata: {json.dumps(event)}\n\n"


DELTAS: dict[str, Callable[[str], str]] = {
    "openai chat": openai_delta,
    "openai tool": _tool_delta,
    "openai response": _response_delta,
    "anthropic text": _anthropic_delta,
    "anthropic input": _anthropic_input,
    "gemini": _gemini_delta,
    "cohere": _cohere_delta,
}


def _split(mint: Mint, secret: str, tokens: int) -> list[str]:
    """The secret in so many pieces, of any length."""
    edges = sorted(mint.chance.sample(range(1, len(secret)), tokens - 1))
    return [secret[a:b] for a, b in pairwise((0, *edges, len(secret)))]


def _cut(mint: Mint, raw: bytes) -> Iterator[tuple[float, bytes]]:
    """Chunks that begin and end anywhere, in the middle of a secret too."""
    at = 0
    while at < len(raw):
        size = mint.chance.randint(5, 120)
        yield mint.chance.choice((0.0, 0.0, 0.001)), raw[at : at + size]
        at += size


def _failures(mint: Mint, env: tuple[str, ...]) -> Iterator[Case]:
    echo = mint.shapeless("cohere")
    error: dict[str, Any] = {
        "error": {"message": f"Incorrect API key provided: {echo}. You can find yours at ...", "type": "auth"}
    }
    sent = [("authorization", f"Bearer {echo}")]
    yield Case("error echo", CHAT, [echo], sent, chat("echo"), json_answer(error, 401))
    echo = mint.shapeless()
    target = f"/generativelanguage.googleapis.com/v1beta/models/g:generateContent?key={echo}"
    error = {"error": {"code": 400, "message": f"API key not valid: {echo}"}}
    yield Case("error echo of a query", target, [echo], [], b'{"contents":[]}', json_answer(error, 400))
    for number, secret in enumerate((mint.shaped("openai project"), *env)):
        whole = openai_delta(f"the key is {secret}").encode()
        cut = whole[: whole.index(json.dumps(secret)[1:-1].encode()) + 16]
        broken = Script(headers=SSE_HEADERS, chunks=((0.0, openai_delta("hello").encode()), (0.01, cut)), end="reset")
        yield Case(f"cut {number}", CHAT, [secret], [], chat(f"cut {number}"), broken, replays=False, complete=False)
    lost = [mint.shaped("openai"), mint.shapeless(), env[0]]
    headers = [("authorization", f"Bearer {lost[0]}"), ("x-api-key", lost[1])]
    target = f"/closed.example.com/v1/x?api_key={lost[1]}&note={lost[2]}"
    yield Case("unreachable", target, lost, headers, chat("lost", lost[2]), replays=False, complete=False)


# --- looking for what is left


def pieces(secrets: Iterable[str]) -> frozenset[bytes]:
    """Every run of PIECE characters of the secrets, as written in plain, in a URL, in JSON, and in base64."""
    return frozenset(
        spelled[at : at + PIECE]
        for secret in secrets
        for spelled in _spellings(secret)
        for at in range(len(spelled) - PIECE + 1)
    )


def _spellings(secret: str) -> set[bytes]:
    in_json = json.dumps(secret)[1:-1]
    plain = {secret, quote(secret, safe=""), quote_plus(secret), in_json, json.dumps(in_json)[1:-1]}
    coded = {base64.b64encode(text.encode()) for text in (secret, f":{secret}", f"user:{secret}")}
    return {text.encode() for text in plain} | coded


def leaks(data: bytes, wanted: frozenset[bytes]) -> list[bytes]:
    """The pieces that are in `data`."""
    return sorted({piece for at in range(len(data) - PIECE + 1) if (piece := data[at : at + PIECE]) in wanted})


def assembled(body: bytes) -> bytes:
    """All text leaves of a stream's events, joined per member name: what a reader of the stream gets to see."""
    texts: dict[str, list[str]] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data: {") and line.endswith("}"):  # a broken stream may end anywhere
            _leaves(json.loads(line.removeprefix("data: ")), "", texts)
    return "\0".join("".join(parts) for parts in texts.values()).encode()


def _leaves(value: Any, name: str, texts: dict[str, list[str]]) -> None:
    if isinstance(value, str):
        texts.setdefault(name, []).append(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _leaves(inner, key, texts)
    elif isinstance(value, list):
        for inner in value:
            _leaves(inner, name, texts)
