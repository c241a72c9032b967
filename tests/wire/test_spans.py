"""Spans as a real receiver gets them, over HTTP and gRPC; and that a collector which is silent or missing keeps nobody."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from serving import ask, command_serving, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.telemetry import traces

pytestmark = pytest.mark.wire

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "Hi"}]
BODY = {"model": "gpt-4o", "messages": HI}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass
class Collector:
    """What was received, and where."""

    url: str = ""
    paths: list[str] = field(default_factory=lambda: [])
    requests: list[ExportTraceServiceRequest] = field(default_factory=lambda: [])

    @property
    def spans(self) -> list[Span]:
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    @property
    def service(self) -> str:
        return str(known(self.requests[0].resource_spans[0].resource.attributes)["service.name"])


def known(attributes: Any) -> dict[str, Any]:
    """Attributes as plain values."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@contextmanager
def over_http() -> Generator[Collector]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            made.paths.append(self.path)
            made.requests.append(ExportTraceServiceRequest.FromString(data))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(10)


@contextmanager
def over_grpc() -> Generator[Collector]:
    made = Collector()

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            made.requests.append(request)
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]
    made.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield made
    finally:
        server.stop(0).wait(10)


def traced(url: str, protocol: str = "http", **more: Any) -> Settings:
    return Settings(port=0, speed=0, otlp_endpoint=url, otlp_protocol=protocol, **more)


@pytest.mark.parametrize(("protocol", "collecting"), [("http", over_http), ("grpc", over_grpc)])
def test_a_span_for_each_call(protocol: str, collecting: Any) -> None:
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    with collecting() as collector:
        with serving(traced(collector.url, protocol)) as server:
            assert ask(server.base_url, CHAT, {**BODY, "temperature": 0.5}, headers=parent).status == 200
            assert ask(server.base_url, CHAT, {**BODY, "stream": True}).status == 200
            assert ask(server.base_url, CHAT, {**BODY, "model": "no-such-model"}).status == 404
            assert all(entry.asked is None for entry in server.observer.journal)
        one, streamed, refused = collector.spans
    assert collector.service == "llm-simulator"
    assert (one.name, one.kind) == ("chat gpt-4o", Span.SPAN_KIND_SERVER)
    assert (one.trace_id.hex(), one.parent_span_id.hex(), one.trace_state) == (TRACE, PARENT, "vendor=1")
    assert streamed.trace_id.hex() != TRACE
    facts = known(one.attributes)
    assert facts["gen_ai.provider.name"] == "openai"
    assert facts["gen_ai.request.temperature"] == 0.5
    assert facts["gen_ai.usage.input_tokens"] > 0
    assert facts["gen_ai.usage.output_tokens"] > 0
    assert (facts["server.address"], facts["server.port"]) == ("api.openai.com", 443)
    assert facts["llm_simulator.source"] == "simulator"
    assert "error.type" not in facts
    assert one.status.code == Status.STATUS_CODE_UNSET
    [first] = streamed.events
    assert first.name == "llm_simulator.first_chunk"
    assert streamed.start_time_unix_nano <= first.time_unix_nano <= streamed.end_time_unix_nano
    assert known(streamed.attributes)["gen_ai.request.stream"] is True
    assert (known(refused.attributes)["error.type"], refused.status.code) == ("404", Status.STATUS_CODE_ERROR)
    assert collector.paths in ([], ["/v1/traces"])


def test_faults_of_a_scenario_are_told() -> None:
    scenario = {"rules": [{"name": "cut", "then": {"mode": "simulate", "fault": "early_close"}}]}
    with over_http() as collector:
        config = {
            "scenario": "drill",
            "scenarios": {"drill": scenario},
            "server": {"port": 0},
            "simulation": {"speed": 0},
            "telemetry": {"tracing": {"otlp_endpoint": collector.url}},
        }
        with serving(from_mapping(config)) as server:
            ask(server.base_url, CHAT, {**BODY, "stream": True})
        facts = known(collector.spans[0].attributes)
    told = [facts[f"llm_simulator.{name}"] for name in ("scenario", "rule", "fault", "outcome")]
    assert told == ["drill", "cut", "early_close", "truncated"]
    assert facts["error.type"] == "truncated"


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_collector_that_says_nothing_keeps_nobody(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export is under way and never ends; calls are answered meanwhile, and the server stops."""
    monkeypatch.setattr(traces, "CLOSE_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    with ExitStack() as held:
        silent = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        with serving(traced(f"http://127.0.0.1:{silent.getsockname()[1]}", protocol)) as server:
            assert ask(server.base_url, CHAT, BODY).status == 200
            connection = held.enter_context(silent.accept()[0])
            assert connection.recv(1)
            assert {ask(server.base_url, CHAT, BODY).status for _ in range(50)} == {200}
            assert ask(server.base_url, "/live").status == 200  # then the last call is noted
            assert server.observer.journal.total == 51


def test_a_collector_that_is_not_there_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(traces, "CLOSE_SECONDS", 5.0)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with serving(traced(f"http://127.0.0.1:{port}")) as server:
        assert ask(server.base_url, CHAT, BODY).status == 200
    assert "Failed to export" in caplog.text


def test_offline_only_the_collector_that_was_named_may_be_contacted() -> None:
    with serving(traced("http://collector.example:4318")) as server:
        assert server.policy is not None
        assert server.policy.allowed == {"collector.example"}


@pytest.mark.parametrize(
    ("endpoint", "protocol", "grpc_", "target"),
    [
        ("http://localhost:4317", "auto", True, "http://localhost:4317/v1/traces"),
        ("http://localhost:4318", "auto", False, "http://localhost:4318/v1/traces"),
        ("http://localhost:4317/", "http", False, "http://localhost:4317/v1/traces"),
        ("https://collector.example/otlp/v1/traces", "auto", False, "https://collector.example/otlp/v1/traces"),
        ("https://collector.example", "grpc", True, "https://collector.example/v1/traces"),
    ],
)
def test_which_protocol_and_where(endpoint: str, protocol: str, grpc_: bool, target: str) -> None:
    assert (traces.over_grpc(endpoint, protocol), traces.target_of(endpoint)) == (grpc_, target)


def test_without_the_extra_it_says_so_and_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError):
        traces.Traces.to("http://localhost:4318", "http", "1", {})
    with serving(traced("http://localhost:4318")) as server:
        assert ask(server.base_url, CHAT, BODY).status == 200
    assert "pip install 'llm-simulator[otel]'" in caplog.text


def test_all_workers_make_spans(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    with over_http() as collector:
        tracing = {"telemetry": {"tracing": {"enabled": True, "otlp_endpoint": collector.url, "protocol": "http"}}}
        config.write_text(json.dumps(tracing), encoding="utf-8")
        with command_serving("--workers", "2", "--config", str(config), "--mode", "simulate") as (base_url, _):
            for number in range(20):
                body = {**BODY, "messages": [{"role": "user", "content": f"call {number}"}], "max_tokens": 1}
                assert ask(base_url, CHAT, body).status == 200
        assert len(collector.spans) == 20
        assert len({span.span_id for span in collector.spans}) == 20
