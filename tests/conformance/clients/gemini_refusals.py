"""What the official Google SDK raises where the simulator validates as the provider does."""

from __future__ import annotations

from typing import Any

import cases
from cases import SENTENCE, case, raised
from google import genai
from google.genai import errors

BASE = cases.strict_hosts()("generativelanguage.googleapis.com")


def ask(key: str = "AIza-none-at-all", model: str = "gemini-2.5-flash", **config: Any) -> Any:
    client = genai.Client(api_key=key, http_options={"base_url": BASE})
    return client.models.generate_content(model=model, contents=SENTENCE, config=config)  # type: ignore[arg-type]


def refused(code: int, status: str, **options: Any) -> Any:
    error = raised(errors.ClientError, lambda: ask(**options))
    assert (error.code, error.status) == (code, status)
    assert error.message
    return error


@case("gemini.generateContent", "provider validation: accepted")
def accepted() -> None:
    assert ask().text


@case("gemini.generateContent", "provider validation: wrong key")
def wrong_key() -> None:
    error = refused(400, "INVALID_ARGUMENT", key="wrong")
    assert "API key not valid" in error.message


@case("gemini.generateContent", "provider validation: unknown model")
def unknown_model() -> None:
    assert "no-such-model" in refused(404, "NOT_FOUND", model="no-such-model").message


@case("gemini.generateContent", "provider validation: out of range")
def out_of_range() -> None:
    refused(400, "INVALID_ARGUMENT", temperature=3.0)


if __name__ == "__main__":
    cases.main()
