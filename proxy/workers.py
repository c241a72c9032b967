"""Several workers on one port: a supervisor forks them and the keeper of what they share, replaces those that die, and
ends them all.

The supervisor runs no event loop and no thread, so a fork of it is clean at any time. It has loaded what every worker
needs: they share that memory. It holds the port (SO_REUSEPORT), each worker listens on it with a socket of its own. All
children read one pipe that ends with the supervisor, however it ends: then they end, too.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError, SimulatorError
from llm_simulator.proxy.listening import bind, reserve
from llm_simulator.proxy.worker import Post, work

log = logging.getLogger("llm_simulator.workers")

YOUNG_SECONDS = 1.0
"""A worker that dies sooner than this after it was ready has failed at once."""
MOST_FAILURES = 5
"""So many at once, one after the other, and the supervisor gives up."""
GRACE_SECONDS = 5.0
"""What a worker may take beyond `drain_secs` to end, and the keeper after them."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)

Greet = Callable[[Settings, Mapping[str, Any]], None]
"""Told once all workers accept: the settings with the port that was bound, and `Server.facts` of one of them."""


@dataclass(slots=True)
class Restarts:
    """How long to wait before a dead worker is replaced."""

    failures: int = 0

    def after(self, lived: float | None) -> float | None:
        """Seconds to wait; None: no more. `lived` is how long it served, None where it never came to that."""
        if lived is not None and lived >= YOUNG_SECONDS:
            self.failures = 0
            return 0.0
        self.failures += 1
        return None if self.failures >= MOST_FAILURES else 0.1 * 2.0 ** (self.failures - 1)


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int
    status: int
    ready: float | None = None  # when, on the clock
    facts: Mapping[str, Any] = field(default_factory=lambda: {})
    heard: bytes = b""


def supervise(settings: Settings, environ: Mapping[str, str], greet: Greet, part: Callable[[], None]) -> int:
    """Serves with `settings.workers` workers until SIGTERM or SIGINT; the exit code. `part` is called as it begins to end.

    Raises:
        ConfigError: the settings do not go together, the port is taken, or the cassette cannot be opened.
        SimulatorError: workers die as soon as they are started.
    """
    with ExitStack() as stack:
        reserved = [stack.enter_context(sock) for sock in reserve(settings.host, settings.port)]
        settings = replace(settings, port=reserved[0].getsockname()[1])
        port = settings.metrics_port if settings.metrics else None
        metrics = bind(settings.host, port) if port else []
        for sock in metrics:
            stack.enter_context(sock)
        folder = tempfile.mkdtemp(prefix="llm-simulator-")  # mode 0700
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        door = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        path = str(Path(folder) / "keeper")
        try:
            door.bind(path)
        except OSError as error:  # the folder of temporary files has too long a name for a Unix socket
            raise ConfigError(f"cannot listen on {path}: {error}; set TMPDIR to a folder with a short name") from error
        door.listen(settings.workers * 2)
        door.setblocking(False)
        preload(settings)
        supervisor = _Supervisor(settings, environ, greet, part, path)
        stack.callback(supervisor.close)
        return supervisor.run(door, metrics, [*reserved, door, *metrics])


def preload(settings: Settings) -> None:
    """Loads what each worker would load, without a thread and without an event loop."""
    import llm_simulator.proxy.keeper  # noqa: F401  # pyright: ignore[reportUnusedImport]

    if settings.mode.value in ("auto", "simulate"):
        from llm_simulator import tokens
        from llm_simulator.dialects import registry
        from llm_simulator.simulator import engine  # noqa: F401  # pyright: ignore[reportUnusedImport]

        registry.dialects()
        tokens.warm("gpt-4o")
    gc.collect()
    gc.freeze()


class _Supervisor:
    def __init__(
        self, settings: Settings, environ: Mapping[str, str], greet: Greet, part: Callable[[], None], path: str
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._greet = greet
        self._part = part
        self._path = path
        self._run = uuid.uuid4().hex
        self._workers: dict[int, _Worker] = {}  # by pid
        self._due: dict[int, float] = {}  # worker numbers to be forked, and when
        self._restarts = Restarts()
        self._keeper = 0
        self._signals: list[int] = []
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._held = os.pipe()
        self._woken, self._waker = socket.socketpair()
        self._inherited: list[socket.socket] = []
        self._greeted = False
        self._stopping = 0.0  # when whoever is left is killed; 0: not stopping
        self._code = 0
        self._problem: SimulatorError | None = None

    def close(self) -> None:
        """Lets go of what is held; children that are left see that and end."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        for worker in self._workers.values():
            os.close(worker.status)
        self._workers = {}
        self._selector.close()
        os.close(self._lifeline)
        if self._held >= 0:
            os.close(self._held)
        self._woken.close()
        self._waker.close()

    def run(self, door: socket.socket, metrics: list[socket.socket], inherited: list[socket.socket]) -> int:
        self._inherited = inherited
        self._listen_for_signals()
        self._keeper = self._fork(lambda: self._keep(door, metrics), keeps=[door, *metrics])
        self._due = dict.fromkeys(range(self._settings.workers), 0.0)
        while self._workers or self._due:
            self._fork_due()
            self._wait()
            self._take_signals()
            self._reap()
            if self._stopping and time.monotonic() > self._stopping:
                self._kill()
        self._end_keeper()
        if self._problem is not None:
            raise self._problem
        return self._code

    # --- children

    def _fork_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            heard, told = os.pipe()
            post = Post(number, self._settings.workers, self._path, self._run, self._lifeline, told)
            pid = self._fork(lambda post=post: work(self._settings, self._environ, post), closes=[heard])  # type: ignore[misc]
            os.close(told)
            os.set_blocking(heard, False)
            worker = self._workers[pid] = _Worker(number, pid, heard)
            self._selector.register(heard, selectors.EVENT_READ, worker)

    def _fork(
        self, child: Callable[[], int], *, keeps: list[socket.socket] | None = None, closes: list[int] | None = None
    ) -> int:
        """A child; signals are held back until it has its own answers to them."""
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if not pid:
            self._become(child, keeps or [], closes or [])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return pid

    def _become(self, child: Callable[[], int], keeps: list[socket.socket], closes: list[int]) -> NoReturn:
        """In the child: lets go of what is the supervisor's, does its work, and is gone."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL if number in (signal.SIGTERM, signal.SIGCHLD) else signal.SIG_IGN)
            self._selector.close()
            for fd in (self._held, *closes, *(worker.status for worker in self._workers.values())):
                os.close(fd)
            for sock in (self._woken, self._waker, *(sock for sock in self._inherited if sock not in keeps)):
                sock.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = child()
        except BaseException:  # noqa: BLE001  # nothing may go on from here in what is a copy of the supervisor
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _keep(self, door: socket.socket, metrics: list[socket.socket]) -> int:
        import asyncio

        from llm_simulator.proxy.keeper import keep

        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # to a whole group: the workers must end before it does
        try:
            asyncio.run(keep(self._settings, self._settings.workers, door, metrics, self._lifeline))
        finally:
            shutil.rmtree(Path(self._path).parent, ignore_errors=True)  # the supervisor may be dead
        return 0

    # --- what happens

    def _listen_for_signals(self) -> None:
        for sock in (self._woken, self._waker):
            sock.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda signum, _: self._signals.append(signum))
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _wait(self) -> None:
        """Until something happens, or a time has come."""
        times = [*self._due.values(), *([self._stopping] if self._stopping else [])]
        timeout = max(0.0, min(times) - time.monotonic()) if times else None
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, _Worker):
                self._hear(key.data)
            else:
                while _received(self._woken):
                    pass

    def _take_signals(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number in (signal.SIGINT, signal.SIGTERM):
                if not self._stopping:
                    self._part()
                self._stop()
            elif number == signal.SIGHUP:
                self._tell(signal.SIGHUP, [worker for worker in self._workers.values() if worker.ready is not None])

    def _hear(self, worker: _Worker) -> None:
        try:
            data = os.read(worker.status, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._forget(worker)
            return
        *lines, worker.heard = (worker.heard + data).split(b"\n")
        for line in lines:
            self._told(worker, json.loads(line))

    def _forget(self, worker: _Worker) -> None:
        """Nothing more will come from it."""
        if worker.status in self._selector.get_map():
            self._selector.unregister(worker.status)

    def _told(self, worker: _Worker, what: dict[str, Any]) -> None:
        if "ready" in what:
            worker.ready, worker.facts = time.monotonic(), what["ready"]
            if not self._greeted and self._all_ready():
                self._greeted = True
                self._greet(self._settings, worker.facts)
        elif "error" in what:
            self._problem = (ConfigError if what["config"] else SimulatorError)(what["error"])
            if not self._greeted:
                self._stop(1)  # what keeps the first from starting will keep the others, too
        elif "draining" in what and self._stopping:  # it may have been configured anew since the start
            self._stopping = max(self._stopping, time.monotonic() + what["draining"] + GRACE_SECONDS)
        elif "failed_writes" in what:
            log.error("exchanges that worker %d could not store: %d", worker.number, what["failed_writes"])

    def _all_ready(self) -> bool:
        return not self._due and all(worker.ready is not None for worker in self._workers.values())

    def _reap(self) -> None:
        if self._keeper and (ended := _ended(self._keeper)) is not None:
            self._keeper = 0
            self._problem = SimulatorError(f"the process that keeps what workers share ended ({ended})")
            self._stop(1)
        for worker in list(self._workers.values()):
            ended = _ended(worker.pid)
            if ended is not None:
                self._hear(worker)  # its last words
                self._bury(worker, ended)

    def _bury(self, worker: _Worker, ended: str) -> None:
        del self._workers[worker.pid]
        self._forget(worker)
        os.close(worker.status)
        if self._stopping:
            if ended not in ("exit code 0", "SIGTERM"):
                self._code = self._code or 1
            return
        now = time.monotonic()
        wait = self._restarts.after(now - worker.ready if worker.ready is not None else None)
        if wait is None:
            self._problem = self._problem or SimulatorError(
                f"worker {worker.number} ended as soon as it was started ({ended}), {MOST_FAILURES} times in a row"
            )
            self._stop(1)
            return
        log.warning("worker %d (process %d) died: %s; another one takes its place", worker.number, worker.pid, ended)
        self._due[worker.number] = now + wait

    # --- the end

    def _stop(self, code: int = 0) -> None:
        self._code = self._code or code
        self._due = {}
        if not self._stopping:
            self._stopping = time.monotonic() + self._settings.drain_secs + GRACE_SECONDS
            if not code:
                self._problem = None  # of one that was replaced
            self._tell(signal.SIGTERM, list(self._workers.values()))

    def _kill(self) -> None:
        self._stopping = time.monotonic() + GRACE_SECONDS
        self._code = 1
        log.error("%d workers did not end in time: killed", len(self._workers))
        self._tell(signal.SIGKILL, list(self._workers.values()))

    def _tell(self, number: signal.Signals, workers: list[_Worker]) -> None:
        for worker in workers:
            os.kill(worker.pid, number)  # it is ours until it was waited for: no other process has its id

    def _end_keeper(self) -> None:
        os.close(self._held)
        self._held = -1
        deadline = time.monotonic() + GRACE_SECONDS
        while self._keeper and _ended(self._keeper) is None:
            self._selector.select(max(0.0, deadline - time.monotonic()))
            while _received(self._woken):
                pass
            if time.monotonic() > deadline:
                os.kill(self._keeper, signal.SIGKILL)
        self._keeper = 0


def _ended(pid: int) -> str | None:
    """How a child ended, or None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except BlockingIOError:
        return b""
