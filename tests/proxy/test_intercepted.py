"""Which hosts the HTTPS_PROXY door intercepts, and what its authority may sign for."""

from __future__ import annotations

import re

import pytest

from llm_simulator.dialects import PROVIDER_HOSTS, provider_of
from llm_simulator.proxy.intercepted import domains, patterns


def intercepted(where: str, *allowed: str) -> bool:
    return any(re.fullmatch(pattern, where, re.IGNORECASE) for pattern in patterns(allowed))


@pytest.mark.parametrize(
    "where",
    [
        "api.openai.com:443",
        "API.OpenAI.com:443",
        "api.openai.com:80",
        "eu.api.openai.com:443",
        "my-resource.openai.azure.com:443",
        "us-central1-aiplatform.googleapis.com:443",
        "aiplatform.eu.rep.googleapis.com:443",
        "bedrock-runtime.eu-west-1.amazonaws.com:443",
        "bedrock-runtime-fips.us-east-1.amazonaws.com:443",
    ],
)
def test_providers_are(where: str) -> None:
    assert intercepted(where)


@pytest.mark.parametrize(
    "where",
    [
        "api.openai.com:8443",
        "xapi.openai.com:443",
        "api.openai.com.evil.example:443",
        "api-openai.com:443",
        "apixopenai.com:443",
        "s3.eu-west-1.amazonaws.com:443",
        "storage.googleapis.com:443",
        ".openai.azure.com:443",
        "a b.openai.azure.com:443",
        "localhost:11434",
        "127.0.0.1:11434",
        "example.com:443",
        "gateway.example:443",
    ],
)
def test_others_are_not(where: str) -> None:
    assert not intercepted(where)


def test_every_known_host_that_is_not_this_machine_is() -> None:
    for host in PROVIDER_HOSTS.values():
        assert intercepted(f"{host}:443") is not host.startswith("localhost")


def test_what_is_intercepted_is_what_has_a_provider() -> None:
    for where in ("x.mistral.ai", "a.b.openai.azure.us", "mistral.ai", "bedrock-mantle.us-east-1.api.aws", "api.aws"):
        assert intercepted(f"{where}:443") is bool(provider_of(where)), where


def test_allowed_hosts_are_meant_with_their_port() -> None:
    assert intercepted("gateway.example:443", "gateway.example")
    assert intercepted("gateway.example:8443", "Gateway.example:8443")
    assert not intercepted("gateway.example:443", "gateway.example:8443")
    assert intercepted("10.0.0.7:8000", "10.0.0.7:8000")
    assert not intercepted("127.0.0.1:8000", "127.0.0.1:8000")


def test_the_authority_signs_for_whole_labels() -> None:
    made = domains(["gateway.example:8443", "10.0.0.7:8000", "[::1]:11434"])
    assert {"api.openai.com", "openai.azure.com", "gateway.example", "10.0.0.7", "ml.cloud.ibm.com"} <= set(made)
    assert not {"localhost", "127.0.0.1", "::1", "", "com"} & set(made)
    assert made == sorted(set(made))
