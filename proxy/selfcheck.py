"""Does each dialect answer? Its own examples, simulated in memory (for `GET /admin/providers` and the OpenAPI document)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from llm_simulator import dialects
from llm_simulator.dialects.base import Dialect, Route
from llm_simulator.dialects.resolve import PROVIDER_HOSTS
from llm_simulator.dialects.routes import COMPATIBLE, COMPATIBLE_ROUTES
from llm_simulator.errors import SimulatorError
from llm_simulator.simulator.engine import Engine, Place, runs_nothing
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.types import JSON, Frame, Headers, RawRequest, Reply, header

AZURE_HOST = "my-resource.openai.azure.com"
"""Azure has a host per resource: any name will do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an example: the request that was made, the answer, and why that is no good ("": it is good)."""

    route: Route
    request: RawRequest
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    problem: str = ""
    streamed: str = ""  # the content type of the same answer as a stream


def host_of(provider: str) -> str:
    return AZURE_HOST if provider == "azure" else PROVIDER_HOSTS.get(provider, "")


def trials(dialect: Dialect, engine: Engine | None = None) -> list[Trial]:
    """Every example of a dialect, one after the other in one session: later ones use what earlier ones made."""
    session = _Session(engine or Engine(0))
    return [session.tried(route, host_of(dialect.provider)) for route in dialect.routes]


def compatible(provider: str, engine: Engine) -> list[Trial]:
    """The examples of OpenAI's format that a provider of its own answers below its own paths."""
    session, host, base = _Session(engine), host_of(provider), COMPATIBLE[provider]
    routes = [replace(route, path=base + route.path) for route in COMPATIBLE_ROUTES]
    found = [session.tried(route, host) for route in routes if is_simulated(request_of(route, host, {}))]
    return [trial for trial in found if not trial.problem]


def is_simulated(request: RawRequest) -> bool:
    call = dialects.read(request)
    return call.operation in dialects.of(call).simulates


class _Session:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shelf = MemoryShelf()
        self._made: dict[str, str] = {}  # the ids that operations gave

    def tried(self, route: Route, host: str) -> Trial:
        try:
            request = request_of(route, host, self._made)
            reply = self._answered(request, Place(self._shelf, self._inner, f"http://localhost/{host}"))
        except SimulatorError as error:
            return Trial(route, RawRequest(route.method, route.path, host), problem=str(error))
        trial = Trial(route, request, reply.status, reply.headers, _whole(reply.body))
        trial = replace(trial, problem=_problem(trial))
        if route.streams and not trial.problem:
            trial = self._streamed(trial)
        if identity := _identity(_json(trial)):
            self._made[route.operation] = identity
        return trial

    def _streamed(self, trial: Trial) -> Trial:
        body = json.dumps({**json.loads(trial.request.body), "stream": True}).encode()
        reply = self._answered(replace(trial.request, body=body), Place(self._shelf, runs_nothing))
        problem = "" if reply.status == trial.status else f"streamed, {reply.status}: {_start(reply.body)}"
        return replace(trial, problem=problem, streamed=header(reply.headers, "content-type"))

    def _inner(self, request: RawRequest) -> Reply:
        return self._answered(request, Place(self._shelf, runs_nothing))

    def _answered(self, request: RawRequest, place: Place) -> Reply:
        call = dialects.read(request)
        dialect = dialects.of(call)
        if call.operation not in dialect.simulates:
            raise SimulatorError(
                f"{request.method} {request.path} reads as {call.family} {call.operation}, not simulated"
            )
        refused = dialect.check(call)
        if refused is not None:
            return dialect.refuse(refused, call)
        made = self._engine.simulate(call, dialect, request.target.encode() + request.body, at_once=True, place=place)
        chunks = made.answer.chunks
        assert isinstance(chunks, Iterable)  # what is simulated is known up front
        return Reply(made.answer.status, made.answer.headers, b"".join(chunk.data for chunk in chunks))


def request_of(route: Route, host: str, made: dict[str, str]) -> RawRequest:
    """The example as a request; `made` has the ids that earlier operations gave.

    Raises:
        SimulatorError: it needs one that none gave.
    """
    path = route.path
    for name, value in route.values.items():
        path = path.replace(f"{{{name}}}", str(_filled(value, made)))
    body = route.body
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(_filled(body, made)).encode()
    headers = (("content-type", route.media),) if body is not None else ()
    return RawRequest(route.method, path, host, headers=headers, body=body or b"")


def _filled(value: JSON, made: dict[str, str]) -> JSON:
    if isinstance(value, dict):
        return {key: _filled(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, made) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        if value[1:] not in made:
            raise SimulatorError(f"no answer to {value[1:]} gave an id")
        return made[value[1:]]
    return value


def _identity(said: JSON) -> str:
    """The id that an answer gives; Google's is the last part of a `name`."""
    found = said.get("id") or str(said.get("name") or "").rpartition("/")[2] if isinstance(said, dict) else ""
    return found if isinstance(found, str) else ""


def _problem(trial: Trial) -> str:
    if trial.status // 100 != trial.route.status // 100:
        return f"{trial.status}: {_start(trial.body)}"
    return "it says JSON and is none" if "json" in _media(trial) and _json(trial) is None else ""


def _whole(body: bytes | Iterable[Frame]) -> bytes:
    return body if isinstance(body, bytes) else b"".join(frame.data for frame in body)


def _start(body: bytes | Iterable[Frame]) -> str:
    return _whole(body)[:200].decode("utf-8", "replace")


def _media(trial: Trial) -> str:
    return header(trial.headers, "content-type").partition(";")[0].strip()


def _json(trial: Trial) -> JSON:
    try:
        return json.loads(trial.body)
    except ValueError:
        return None
