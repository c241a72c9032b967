"""A small user's project for tests of the pytest plugin: it asks one question per test, over the standard library alone."""

from __future__ import annotations

from pathlib import Path

APPLICATION = '''
import http.client, json, os
from urllib.parse import urlsplit

def ask(text, **more):
    """The model's answer; an error of the provider becomes RuntimeError, as an SDK would have it."""
    url = urlsplit(os.environ["OPENAI_BASE_URL"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}
    connection.request("POST", url.path + "/chat/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {answer['error']['code']}")
    return answer["choices"][0]["message"]["content"]
'''

_HEAD = "llm-simulator: cassette\nschema: 1\nmatcher: 1\n"
_EXCHANGE = """---
provider: openai
family: openai.chat
operation: chat
model: gpt-4o-mini
stream: false
request:
  method: POST
  host: api.openai.com
  path: /v1/chat/completions
  headers:
    - content-type: application/json
  json: |
    {{
      "model": "gpt-4o-mini",
      "messages": [
        {{
          "role": "user",
          "content": "{question}"
        }}
      ]
    }}
response:
  status: 200
  headers:
    - content-type: application/json
  json: |
    {{
      "choices": [
        {{
          "message": {{
            "role": "assistant",
            "content": "{answer}"
          }}
        }}
      ]
    }}
metadata:
{metadata}"""


def cassette(*exchanges: tuple[str, str], recorded_at: str = "2026-01-01T00:00:00.000Z") -> str:
    """The text of a cassette with these questions and answers."""
    metadata = f'  recorded_at: "{recorded_at}"\n'
    documents = (_EXCHANGE.format(question=q, answer=a, metadata=metadata) for q, a in exchanges)
    return _HEAD + "".join(documents)


def write(path: Path, *exchanges: tuple[str, str], recorded_at: str = "2026-01-01T00:00:00.000Z") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(cassette(*exchanges, recorded_at=recorded_at))
