"""What every foreign export needs: the decoded body, text where it is text, an absolute URL, headers by name."""

from __future__ import annotations

from llm_simulator import dialects
from llm_simulator.redact.coding import CodingError, Decoder
from llm_simulator.types import Exchange, Headers, header

_LIMIT = 256 << 20


def decoded(headers: Headers, body: bytes) -> bytes:
    """The body with its content-encoding undone, as far as it goes; as it is where it does not decode."""
    try:
        return Decoder(header(headers, "content-encoding"), _LIMIT).feed(body)
    except CodingError:
        return body


def text_of(body: bytes) -> str | None:
    """The body as text, None where it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def host_of(exchange: Exchange) -> str:
    """Its host; for a call that came by a bare path, the provider's own."""
    return exchange.request.host or dialects.PROVIDER_HOSTS.get(exchange.provider, "localhost")


def url_of(exchange: Exchange) -> str:
    return f"{exchange.request.scheme}://{host_of(exchange)}{exchange.request.target}"


def size(exchange: Exchange) -> int:
    return sum(len(data) for _, data in exchange.chunks)


def by_name(headers: Headers) -> dict[str, list[str]]:
    """Values by name, each spelling for itself; the order of the values of a name is kept."""
    held: dict[str, list[str]] = {}
    for name, value in headers:
        held.setdefault(name, []).append(value)
    return held
