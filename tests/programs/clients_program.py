"""A user's program on HTTP libraries, none of them an LLM SDK. Where they talk to is the environment's business."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from typing import Any

import aiohttp
import httpx
import httpx2
import requests

URL = "https://api.openai.com/v1/chat/completions"
HEADERS = {"authorization": "Bearer sk-nobody", "content-type": "application/json"}


def body(name: str) -> bytes:
    return json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"{name} #plain"}]}).encode()


def say(name: str, answer: Any) -> None:
    print(name, json.dumps(answer["choices"][0]["message"]["content"]), flush=True)


def curl() -> None:
    command = ["curl", "-sS", "--fail", URL, "--data-binary", "@-"]
    command += [part for header in HEADERS.items() for part in ("-H", ": ".join(header))]
    say("curl", json.loads(subprocess.run(command, input=body("curl"), stdout=subprocess.PIPE, check=True).stdout))


async def asynchronous() -> None:
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.post(URL, data=body("aiohttp"), headers=HEADERS) as response,
    ):
        say("aiohttp", await response.json())


say("requests", requests.post(URL, data=body("requests"), headers=HEADERS, timeout=20).json())
say("httpx", httpx.post(URL, content=body("httpx"), headers=HEADERS, timeout=20).json())
say("httpx2", httpx2.post(URL, content=body("httpx2"), headers=HEADERS, timeout=20).json())
with urllib.request.urlopen(urllib.request.Request(URL, body("urllib"), HEADERS), timeout=20) as answer:
    say("urllib", json.load(answer))
asyncio.run(asynchronous())
curl()
