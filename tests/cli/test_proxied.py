"""The environment of a program that goes through the HTTPS_PROXY door."""

from __future__ import annotations

import pytest

from llm_simulator.cli.child import PLACEHOLDER_KEY
from llm_simulator.cli.proxied import java_options, no_proxy, node_options, proxied_environment
from llm_simulator.proxy.intercepted import patterns
from llm_simulator.proxy.trust import NODE_PROXY
from llm_simulator.types import Mode

DOOR = "http://127.0.0.1:4711"
LOOPBACK = "localhost,127.0.0.1,::1"


def made(environ: dict[str, str], mode: Mode = Mode.REPLAY, store: str = "") -> dict[str, str]:
    return proxied_environment(environ, mode, DOOR, bundle="/b.pem", store=store, intercepted=patterns()).over(environ)


def test_replay_sets_proxy_and_trust_and_leaves_base_urls_alone() -> None:
    child = made({"OPENAI_BASE_URL": "https://gateway.example/v1", "HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "*"})
    assert child["OPENAI_BASE_URL"] == "https://gateway.example/v1"
    assert "ANTHROPIC_BASE_URL" not in child
    assert child["ANTHROPIC_API_KEY"] == PLACEHOLDER_KEY
    assert {child[name] for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")} == {DOOR}
    assert child["NO_PROXY"] == child["no_proxy"] == LOOPBACK
    assert child["NODE_USE_ENV_PROXY"] == "1"
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")
    assert {child[name] for name in (*names, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")} == {"/b.pem"}
    assert "JAVA_TOOL_OPTIONS" not in child


def test_recording_invents_no_keys() -> None:
    assert "OPENAI_API_KEY" not in made({}, Mode.RECORD)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", LOOPBACK),
        ("intranet.example, .corp.example,10.0.0.0/8", f"intranet.example,.corp.example,10.0.0.0/8,{LOOPBACK}"),
        ("*", LOOPBACK),
        ("api.openai.com", LOOPBACK),
        (".openai.com,OpenAI.com:443,*.openai.com", LOOPBACK),
        ("com", LOOPBACK),
        ("my.openai.azure.com,azure.com", LOOPBACK),
        ("localhost,127.0.0.1", LOOPBACK),
        ("penai.com,xapi.openai.com", f"penai.com,xapi.openai.com,{LOOPBACK}"),
    ],
)
def test_no_exemption_covers_a_provider(given: str, kept: str) -> None:
    assert no_proxy({"no_proxy": given}, patterns(), offline=False) == kept
    assert no_proxy({"NO_PROXY": given}, patterns(), offline=True) == LOOPBACK


def test_an_allowed_host_with_a_port_is_not_exempt() -> None:
    hosts = patterns(["gateway.example:8443"])
    assert (
        no_proxy({"NO_PROXY": "gateway.example,example,other.test"}, hosts, offline=False) == f"other.test,{LOOPBACK}"
    )


def test_java_and_node_keep_the_options_they_were_given() -> None:
    child = made({"JAVA_TOOL_OPTIONS": "-Xmx1g", "NODE_OPTIONS": "--no-warnings"}, store="/s.jks")
    assert child["JAVA_TOOL_OPTIONS"] == (
        "-Xmx1g -Djavax.net.ssl.trustStore=/s.jks -Djavax.net.ssl.trustStorePassword=changeit"
        " -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=4711 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=4711"
    )
    assert child["NODE_OPTIONS"] == f'--no-warnings --require "{NODE_PROXY}"'
    assert node_options("") == f'--require "{NODE_PROXY}"'
    assert NODE_PROXY.is_file()
    assert "proxyHost" not in java_options("/s.jks")
