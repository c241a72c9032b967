"""What the official OpenAI SDK raises where the simulator validates as the provider does: OpenAI and Azure."""

from __future__ import annotations

from typing import Any

import cases
import openai
from cases import SENTENCE, case, raised
from openai import AzureOpenAI, OpenAI

at = cases.strict_hosts()
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]
MODEL = "gpt-4o-mini"


def client(key: str = "sk-none-at-all") -> OpenAI:
    return OpenAI(api_key=key, base_url=f"{at('api.openai.com')}/v1", max_retries=0)


def azure(key: str = "0" * 32, version: str = "2024-10-21") -> AzureOpenAI:
    where = at("conformance.openai.azure.com")
    return AzureOpenAI(azure_endpoint=where, api_key=key, api_version=version, max_retries=0)


def refused(kind: type[BaseException], asked: OpenAI, code: str | None, **options: Any) -> Any:
    given = {"model": MODEL, "messages": MESSAGES, **options}
    error = raised(kind, lambda: asked.chat.completions.create(**given))
    assert error.code == code, error.code
    assert error.message
    assert error.request_id or error.response.headers["apim-request-id"]
    return error


@case("openai.chat.completions", "provider validation: accepted")
def accepted() -> None:
    assert client().chat.completions.create(model=MODEL, messages=MESSAGES).choices


@case("openai.chat.completions", "provider validation: wrong key")
def wrong_key() -> None:
    assert refused(openai.AuthenticationError, client("wrong"), "invalid_api_key").status_code == 401


@case("openai.chat.completions", "provider validation: unknown model")
def unknown_model() -> None:
    error = refused(openai.NotFoundError, client(), "model_not_found", model="no-such-model")
    assert "no-such-model" in error.message


@case("openai.chat.completions", "provider validation: out of range")
def out_of_range() -> None:
    error = refused(openai.BadRequestError, client(), "decimal_above_max_value", temperature=3)
    assert error.param == "temperature"


@case("openai.chat.completions", "provider validation: context window")
def context_window() -> None:
    long: Any = [{"role": "user", "content": "sea " * 140_000}]
    error = refused(openai.BadRequestError, client(), "context_length_exceeded", messages=long)
    assert error.param == "messages"


@case("openai.chat.completions", "provider validation: unknown parameter")
def unknown_parameter() -> None:
    assert "no_such" in refused(openai.BadRequestError, client(), None, extra_body={"no_such": 1}).message


@case("openai.responses.create", "provider validation: unknown model")
def unknown_model_of_responses() -> None:
    call = lambda: client().responses.create(model="no-such-model", input=SENTENCE)  # noqa: E731
    assert raised(openai.BadRequestError, call).code == "model_not_found"  # 400 there, not 404


@case("openai.embeddings", "provider validation: unknown model")
def unknown_model_of_embeddings() -> None:
    call = lambda: client().embeddings.create(model="no-such-model", input="cat")  # noqa: E731
    assert raised(openai.NotFoundError, call).code == "model_not_found"


@case("azure.chat", "provider validation: accepted")
def azure_accepted() -> None:
    assert azure().chat.completions.create(model="gpt-4o", messages=MESSAGES).choices


@case("azure.chat", "provider validation: wrong key")
def azure_wrong_key() -> None:
    assert refused(openai.AuthenticationError, azure("wrong"), "401", model="gpt-4o").status_code == 401


@case("azure.chat", "provider validation: unknown deployment")
def azure_unknown_deployment() -> None:
    refused(openai.NotFoundError, azure(), "DeploymentNotFound", model="no-such-deployment")


@case("azure.chat", "provider validation: unsupported api-version")
def azure_version() -> None:
    refused(openai.BadRequestError, azure(version="2019-01-01"), "BadRequest", model="gpt-4o")


@case("azure.chat", "provider validation: content filter")
def azure_content_filter() -> None:
    told: Any = [{"role": "user", "content": "trigger_content_filter"}]
    error = refused(openai.BadRequestError, azure(), "content_filter", model="gpt-4o", messages=told)
    assert error.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"


if __name__ == "__main__":
    cases.main()
