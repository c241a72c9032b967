"""One OpenTelemetry span per call, sent to a collector (OTLP). Needs the extra `otel`; imported where traces are wanted.

A span is made once its call is finished, and put into a bounded queue that a thread of its own empties: a collector
that is missing, slow or silent costs spans, never time of a call. While it fails, spans are not even made. The process's
global tracer is left alone, so that a program that runs us in process keeps its own.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from llm_simulator.errors import ConfigError
from llm_simulator.telemetry.genai import attributes, error_of, name_of
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Call

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

CLOSE_SECONDS = 3.0
"""How long the end of a run waits for a collector to take the last spans."""
GRPC_PORT = 4317
"""OTLP over gRPC, as OpenTelemetry assigns it; 4318 is OTLP over HTTP."""
PAUSE_SECONDS = 5.0
"""How long no span is made after an export that failed, and how long one may take until that is so."""
_PATH = "/v1/traces"
_NANO = 1_000_000_000


class Watched:
    """An exporter (`SpanExporter`), and whether its collector takes what it is sent."""

    def __init__(self, exporter: SpanExporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter = exporter
        self._clock = clock
        self._began: float | None = None  # of the export that is under way
        self._failed = -PAUSE_SECONDS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends them, in the thread of the queue."""
        self._began = self._clock()
        result = self._exporter.export(spans)
        self._began = None
        if result.value:
            self._failed = self._clock()
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    @property
    def stuck(self) -> bool:
        """Whether an export has failed just now, or is under way for long."""
        now, began = self._clock(), self._began
        return now - self._failed < PAUSE_SECONDS or (began is not None and now - began > PAUSE_SECONDS)


class Traces:
    """The spans of one server. `hosts` says where a provider is whose call came by a bare path.

    `dropped` counts the calls whose span was not made, as their collector was not there.
    """

    def __init__(self, exporter: SpanExporter, version: str, hosts: Mapping[str, str]) -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        ours = Resource({"service.name": "llm-simulator", "service.version": version})
        resource = ours.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
        self._provider = TracerProvider(resource=Resource.create().merge(resource), shutdown_on_exit=False)
        self.dropped = 0
        self._exporter = Watched(exporter)
        self._provider.add_span_processor(BatchSpanProcessor(cast("SpanExporter", self._exporter)))
        self._tracer = self._provider.get_tracer("llm_simulator", version)
        self._propagator = TraceContextTextMapPropagator()
        self._hosts = hosts
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    @classmethod
    def to(cls, endpoint: str, protocol: str, version: str, hosts: Mapping[str, str]) -> Traces:
        """
        Raises:
            ConfigError: the extra `otel` is not installed.
        """
        try:
            return cls(_exporter(endpoint, protocol), version, hosts)
        except ImportError as error:
            raise ConfigError(
                f"telemetry.tracing is on, and {error.name} is not installed: pip install 'llm-simulator[otel]'"
            ) from error

    def add(self, entry: Entry, call: Call | None) -> None:
        """The span of a finished call, under the span that its client named (W3C Trace Context)."""
        if self._exporter.stuck:
            self.dropped += 1
            return
        start = int(entry.at * _NANO)
        host = self._hosts.get(entry.provider, "")
        span = self._tracer.start_span(
            name_of(entry),
            context=self._parent(call) if call is not None else None,
            kind=self._kind,
            attributes=attributes(entry, call, host),
            start_time=start,
        )
        if entry.ttft is not None:
            span.add_event("llm_simulator.first_chunk", timestamp=start + int(entry.ttft * _NANO))
        if error_of(entry):
            span.set_status(self._failed)
        span.end(start + int(entry.duration * _NANO))

    def _parent(self, call: Call) -> Context | None:
        carrier = {
            name.lower(): value
            for name, value in call.raw.headers
            if len(name) in (10, 11) and name.lower() in ("traceparent", "tracestate")
        }
        return self._propagator.extract(carrier) if carrier else None

    async def close(self) -> None:
        """Sends what is left, and waits for it `CLOSE_SECONDS` at most: a collector that does not answer keeps nobody."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop did not wait
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="traces", daemon=True).start()
        try:
            await asyncio.wait_for(done.wait(), CLOSE_SECONDS)
        except TimeoutError:  # it tries no more
            threading.Thread(target=self._exporter.shutdown, name="traces", daemon=True).start()


def host_of(endpoint: str) -> str:
    """The host name of a collector."""
    return urlsplit(endpoint).hostname or ""


def over_grpc(endpoint: str, protocol: str) -> bool:
    """Whether a collector is spoken to in gRPC."""
    return protocol == "grpc" or (protocol == "auto" and urlsplit(endpoint).port == GRPC_PORT)


def _exporter(endpoint: str, protocol: str) -> SpanExporter:
    """Goes straight to the collector that was named: no proxy of the environment, no `.netrc`."""
    if over_grpc(endpoint, protocol):
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        straight = (("grpc.enable_http_proxy", 0),)
        return OverGrpc(endpoint, insecure=endpoint.startswith("http:"), channel_options=straight)  # type: ignore[arg-type]
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    session = requests.Session()
    session.trust_env = False
    return OverHttp(target_of(endpoint), session=session)


def target_of(endpoint: str) -> str:
    """The URL that spans are sent to: `/v1/traces` below a base URL, a path of one's own as it stands."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _PATH
