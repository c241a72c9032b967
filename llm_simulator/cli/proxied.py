"""The environment of a program that shall go through the HTTPS_PROXY door. Pure: takes and returns mappings.

Its base URLs stay as they are; it is told a proxy, and whom to trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from llm_simulator.cli.child import ChildEnvironment, placeholders
from llm_simulator.proxy.trust import BUNDLE_VARIABLES, JAVA_PASSWORD, NODE_PROXY
from llm_simulator.types import Mode

_PROXY_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORT = re.compile(r":(?:\d+|\(\?:[\d|]+\))$")  # at the end of a pattern
_JAVA = "JAVA_TOOL_OPTIONS"
_NODE = "NODE_OPTIONS"


def trust_variables(bundle: str) -> dict[str, str]:
    """Every variable by which a client is told its root certificates."""
    return dict.fromkeys(BUNDLE_VARIABLES, bundle)


def proxy_variables(url: str, no_proxy: str) -> dict[str, str]:
    """Every variable by which a client is told its proxy; both cases, because clients differ."""
    upper = {**dict.fromkeys(_PROXY_NAMES, url), "NO_PROXY": no_proxy}
    return {**upper, **{name.lower(): value for name, value in upper.items()}, "NODE_USE_ENV_PROXY": "1"}


def java_options(store: str, url: str = "") -> str:
    """What Java reads instead of all those variables."""
    options = [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}"]
    if url:
        host, _, port = url.removeprefix("http://").rpartition(":")
        options += [f"-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={port}" for scheme in ("https", "http")]
    return " ".join(options)


def node_options(given: str) -> str:
    """What makes a Node too old for NODE_USE_ENV_PROXY (before 22.21) use the proxy."""
    path = str(NODE_PROXY).replace("\\", "\\\\")
    return f'{given} --require "{path}"'.strip()


def proxied_environment(
    environ: Mapping[str, str], mode: Mode, url: str, *, bundle: str, store: str, intercepted: Iterable[str]
) -> ChildEnvironment:
    """What the child's environment must differ by.

    Args:
        url: of the door.
        bundle, store: files of root certificates, for all and for Java ("": Java is left alone).
        intercepted: patterns of `host:port` that must not be exempt from the proxy.
    """
    made = ChildEnvironment()
    if not mode.forwards:
        made.set |= placeholders(environ)
    made.set |= proxy_variables(url, no_proxy(environ, tuple(intercepted), offline=not mode.forwards))
    made.set |= trust_variables(bundle)
    made.set[_NODE] = node_options(environ.get(_NODE, ""))
    if store:
        made.set[_JAVA] = f"{environ.get(_JAVA, '')} {java_options(store, url)}".strip()
    return made


def no_proxy(environ: Mapping[str, str], intercepted: tuple[str, ...], *, offline: bool) -> str:
    """Loopback is exempt; of what else the user exempts, all that names no provider (offline: nothing)."""
    given = "" if offline else environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    kept = [entry.strip() for entry in given.split(",") if entry.strip() and not _exempts(entry.strip(), intercepted)]
    return ",".join(dict.fromkeys((*kept, *_LOOPBACK)))


def _exempts(entry: str, intercepted: tuple[str, ...]) -> bool:
    """Whether an exemption covers a host that is intercepted: `*`, the host itself, or a domain above it."""
    domain = entry.lower().removeprefix("*").removeprefix(".").partition(":")[0]
    if not domain:
        return True
    end = re.escape(f".{domain}")
    names = (_PORT.sub("", pattern) for pattern in intercepted)
    return any(re.fullmatch(name, domain) or name.endswith(end) for name in names)
