"""Which proxy the environment names for a host, and for which it names none."""

from __future__ import annotations

import base64

import pytest

from llm_simulator.proxy.upstream import proxy_for

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.mark.parametrize(
    ("environ", "scheme", "expected"),
    [
        ({}, "https", None),
        ({"https_proxy": "http://corp:3128"}, "https", "http://corp:3128"),
        ({"https_proxy": "http://corp:3128"}, "http", None),
        ({"http_proxy": "corp:3128"}, "http", "http://corp:3128"),
        ({"all_proxy": "http://corp:3128"}, "https", "http://corp:3128"),
        ({"https_proxy": "http://corp:3128", "no_proxy": "api.openai.com"}, "https", None),
        ({"https_proxy": "http://corp:3128", "no_proxy": ".openai.com,x"}, "https", None),
        ({"https_proxy": "http://corp:3128", "no_proxy": "*"}, "https", None),
        ({"https_proxy": "http://corp:3128", "no_proxy": "anthropic.com"}, "https", "http://corp:3128"),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], scheme: str, expected: str | None
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    proxy, headers = proxy_for(scheme, "api.openai.com")
    assert (None if proxy is None else str(proxy).rstrip("/"), headers) == (expected, {})


def test_its_password_goes_in_a_header_not_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:p%40ss@corp:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    proxy, headers = proxy_for("https", "api.openai.com")
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.user, proxy.password) == ("corp", 3128, None, None)
    assert headers == {"Proxy-Authorization": f"Basic {base64.b64encode(b'me:p@ss').decode()}"}


def test_a_kind_of_proxy_that_we_cannot_use_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://me:secret@corp:1080")
    assert proxy_for("https", "api.openai.com") == (None, {})
    assert caplog.messages == [
        "the proxy that the environment names for https is a socks5 one; only http and https ones are used: "
        "api.openai.com is asked directly"
    ]
