"""What the official Anthropic SDK raises where the simulator validates as the provider does."""

from __future__ import annotations

from typing import Any

import anthropic
import cases
from anthropic import Anthropic
from anthropic.types import Message
from cases import SENTENCE, TOLD, case, raised

BASE = cases.strict_hosts()("api.anthropic.com")
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]


def create(key: str = "sk-ant-none-at-all", **options: Any) -> Any:
    client = Anthropic(api_key=key, base_url=BASE, max_retries=0)
    return client.messages.create(**{"model": "claude-sonnet-5", "max_tokens": 100, "messages": MESSAGES, **options})


def refused(kind: type[BaseException], named: str, **options: Any) -> Any:
    error = raised(kind, lambda: create(**options))
    assert error.type == named, error.type
    assert error.request_id.startswith("req_")
    assert error.api_message
    return error


@case("anthropic.messages", "provider validation: accepted")
def accepted() -> None:
    assert create().content


@case("anthropic.messages", "provider validation: wrong key")
def wrong_key() -> None:
    assert refused(anthropic.AuthenticationError, "authentication_error", key="wrong").status_code == 401


@case("anthropic.messages", "provider validation: unknown model")
def unknown_model() -> None:
    error = refused(anthropic.NotFoundError, "not_found_error", model="no-such-model")
    assert "no-such-model" in error.api_message


@case("anthropic.messages", "provider validation: out of range")
def out_of_range() -> None:
    error = refused(anthropic.BadRequestError, "invalid_request_error", max_tokens=0)
    assert "max_tokens" in error.api_message


@case("anthropic.messages", "provider validation: missing max_tokens")
def missing() -> None:
    client = Anthropic(api_key="sk-ant-none-at-all", base_url=BASE, max_retries=0)
    body = {"model": "claude-sonnet-5", "messages": MESSAGES}
    error = raised(anthropic.BadRequestError, lambda: client.post("/v1/messages", body=body, cast_to=Message))
    assert error.type == "invalid_request_error"
    assert "max_tokens" in error.api_message


@case("anthropic.messages", "provider validation: tool result without a call")
def order() -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_01none", "content": TOLD}
    turns = [*MESSAGES, {"role": "assistant", "content": "Well."}, {"role": "user", "content": [result]}]
    error = refused(anthropic.BadRequestError, "invalid_request_error", messages=turns)
    assert "toolu_01none" in error.api_message


if __name__ == "__main__":
    cases.main()
