"""What the official Cohere SDK raises where the simulator validates as the provider does."""

from __future__ import annotations

from typing import Any

import cases
import cohere
from cases import SENTENCE, case, raised

BASE = cases.strict_hosts()("api.cohere.com")
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]


def ask(key: str = "none-at-all", **options: Any) -> Any:
    client = cohere.ClientV2(api_key=key, base_url=BASE)
    given: Any = {"model": "command-a-03-2025", "messages": MESSAGES, "request_options": {"max_retries": 0}, **options}
    return client.chat(**given)


def refused(kind: type[BaseException], **options: Any) -> Any:
    error = raised(kind, lambda: ask(**options))
    assert error.body["message"]
    return error


@case("cohere.v2.chat", "provider validation: accepted")
def accepted() -> None:
    assert ask().message.content[0].text


@case("cohere.v2.chat", "provider validation: wrong key")
def wrong_key() -> None:
    assert refused(cohere.UnauthorizedError, key="wrong").status_code == 401


@case("cohere.v2.chat", "provider validation: unknown model")
def unknown_model() -> None:
    assert "no-such-model" in refused(cohere.NotFoundError, model="no-such-model").body["message"]


@case("cohere.v2.chat", "provider validation: out of range")
def out_of_range() -> None:
    refused(cohere.BadRequestError, temperature=-1.0)


if __name__ == "__main__":
    cases.main()
