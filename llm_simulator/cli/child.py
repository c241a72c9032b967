"""The environment of a child process whose SDKs shall talk to the simulator. Pure: takes and returns mappings.

Source of the names: the official SDKs (openai, anthropic, google-genai, cohere; Python and Node) and LiteLLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode


@dataclass(frozen=True, slots=True)
class _Sdk:
    """One SDK's base-URL variable, what it holds by default, and its key variables."""

    variable: str
    default: str  # "" where the SDK has none: then it is set only if the mode needs no real host
    keys: tuple[str, ...]


_SDKS = (
    _Sdk("OPENAI_BASE_URL", "https://api.openai.com/v1", ("OPENAI_API_KEY",)),
    _Sdk("OPENAI_API_BASE", "https://api.openai.com/v1", ()),
    _Sdk("AZURE_OPENAI_ENDPOINT", "", ("AZURE_OPENAI_API_KEY",)),
    _Sdk("ANTHROPIC_BASE_URL", "https://api.anthropic.com", ("ANTHROPIC_API_KEY",)),
    _Sdk("GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    _Sdk("GOOGLE_VERTEX_BASE_URL", "", ()),
    _Sdk("CO_API_URL", "https://api.cohere.com", ("CO_API_KEY", "COHERE_API_KEY")),
)

BASE_URL = "LLM_SIMULATOR_BASE_URL"
"""Tells a child where its simulator is, so that one that is started inside knows what was wrapped already."""

PLACEHOLDER_KEY = "sk-simulated-key"
_PLACEHOLDER_AZURE_VERSION = "2024-10-21"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_LOOPBACK = "localhost,127.0.0.1,::1"


@dataclass(slots=True)
class ChildEnvironment:
    """Variables to set and to remove, the hosts that base URLs named already, and what to tell the user."""

    set: dict[str, str] = field(default_factory=lambda: {})
    unset: list[str] = field(default_factory=lambda: [])
    hosts: list[str] = field(default_factory=lambda: [])
    wrapped: list[str] = field(default_factory=lambda: [])

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in environ.items() if name not in self.unset}
        return {**kept, **self.set}


def wrapped_hosts(environ: Mapping[str, str]) -> list[str]:
    """Hosts of base URLs that the user's environment names already: they are allowed for the run.

    Raises:
        ConfigError: one of them is no URL.
    """
    return [host for sdk in _SDKS if (host := _host(sdk.variable, _given(environ, sdk.variable)))]


def child_environment(environ: Mapping[str, str], base_url: str, mode: Mode, refusing: str = "") -> ChildEnvironment:
    """What the child's environment must differ by.

    Args:
        base_url: of the simulator, without a path.
        refusing: URL of a refusing proxy that all proxy variables point at ("" : leave them as they are).
    """
    made = ChildEnvironment(hosts=wrapped_hosts(environ))
    made.set[BASE_URL] = base_url
    for sdk in _SDKS:
        given = _given(environ, sdk.variable)
        if given and given != sdk.default:
            made.wrapped.append(f"{sdk.variable}={given}")
        target = given or sdk.default
        if target:
            made.set[sdk.variable] = wrap(base_url, target)
        elif not mode.forwards:
            made.set[sdk.variable] = base_url  # bare provider paths tell us enough to replay and simulate
    if not mode.forwards:
        made.set |= placeholders(environ)
    if refusing:
        made.set |= dict.fromkeys(_PROXIES, refusing)
    made.set |= {"NO_PROXY": _no_proxy(environ, refusing), "no_proxy": _no_proxy(environ, refusing)}
    return made


def placeholders(environ: Mapping[str, str]) -> dict[str, str]:
    """What SDKs want to have before they send anything, where the environment does not have it."""
    lacking = [sdk.keys[0] for sdk in _SDKS if sdk.keys and not any(environ.get(key) for key in sdk.keys)]
    made = dict.fromkeys(lacking, PLACEHOLDER_KEY)
    if not environ.get("OPENAI_API_VERSION"):
        made["OPENAI_API_VERSION"] = _PLACEHOLDER_AZURE_VERSION
    return made


def _no_proxy(environ: Mapping[str, str], refusing: str) -> str:
    """Loopback never goes through a proxy; in a refusing run nothing else is exempt either."""
    given = "" if refusing else environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    names = [name.strip() for name in f"{given},{_LOOPBACK}".split(",")]
    return ",".join(dict.fromkeys(name for name in names if name))


def wrap(base_url: str, target: str) -> str:
    """`https://api.groq.com/openai/v1` as a path of ours: `http://127.0.0.1:8080/api.groq.com/openai/v1`."""
    parts = urlsplit(target)
    scheme = "" if parts.scheme == "https" else f"{parts.scheme}:"
    return f"{base_url}/{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _given(environ: Mapping[str, str], variable: str) -> str:
    """The base URL that the user gave. One that a simulator around us has wrapped is taken out of its wrapping."""
    given, outer = environ.get(variable, ""), environ.get(BASE_URL, "")
    return unwrap(outer, given) if outer and f"{given}/".startswith(f"{outer}/") else given


def unwrap(base_url: str, url: str) -> str:
    """What `wrap` was given; "" for a path without a host (the simulator itself, for an SDK without a default host)."""
    path = url.removeprefix(base_url).lstrip("/")
    scheme, rest = ("http", path.removeprefix("http:")) if path.startswith("http:") else ("https", path)
    host = rest.partition("/")[0]
    return f"{scheme}://{rest}" if "." in host or ":" in host or scheme == "http" else ""


def _host(variable: str, url: str) -> str:
    """`name[:port]` of a URL, in lower case.

    Raises:
        ConfigError: it is no URL.
    """
    try:
        parts = urlsplit(url)
        name, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ConfigError(
            f"{variable} is {url!r}: {error}; a URL such as https://api.example.com/v1 is allowed"
        ) from error
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{name}:{port}" if name and port not in (None, default) else name
