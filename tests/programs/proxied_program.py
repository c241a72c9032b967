"""A program that honours the proxy variables and calls its provider past every base-URL variable."""

from __future__ import annotations

import urllib.error
import urllib.request

import httpx

for url in ("https://api.openai.com/v1/models", "http://plain.example/page"):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(f"urllib {url}: {answer.status}")
    except urllib.error.HTTPError as error:
        print(f"urllib {url}: {error.code}")
        error.close()
    except OSError as error:
        print(f"urllib {url}: {error}")

try:
    print("httpx:", httpx.get("https://api.openai.com/v1/models", timeout=5).status_code)
except httpx.HTTPError as error:
    print(f"httpx: {type(error).__name__} {error}")
