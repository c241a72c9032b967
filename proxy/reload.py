"""Another configuration for a running server: all of it is read and checked, then one reference is swapped, or nothing.

Calls in flight finish on what they began with. Of several workers, the one that was asked checks the configuration and
publishes it; all of them switch to the same text, and one that is started later begins with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_simulator.config.generations import FIRST
from llm_simulator.errors import ConfigError, SimulatorError
from llm_simulator.types import JSON

if TYPE_CHECKING:
    from llm_simulator.config.reading import Document
    from llm_simulator.config.settings import Origin, Settings
    from llm_simulator.proxy.scenes import Stage
    from llm_simulator.proxy.state import State
    from llm_simulator.telemetry.observer import Observer

log = logging.getLogger("llm_simulator.config")

MACHINE, KEY, TOPIC = "config", "current", "config"
AHEAD_SECONDS = 0.3
"""What workers are given to read a configuration before they switch; who has not, does it then."""
SETTLED_SECONDS = 0.05
"""A file that was written is read once it stays as it is for so long."""
_METRIC = ("llm_config_reloads", "Configurations that were to be taken while running, by result.")


class Running(Protocol):
    """A server, as far as its configuration is concerned (`server.py`)."""

    settings: Settings
    stage: Stage
    state: State
    observer: Observer
    clean: Callable[[str], str]

    def adopt(self, settings: Settings, stage: Stage) -> None:
        """Another configuration, at once; calls in flight finish on what they began with."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a configuration: `result` is ok, unchanged, invalid (it is wrong) or refused (it cannot change now)."""

    result: str
    generation: int
    problems: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        return {"invalid": 400, "refused": 409}.get(self.result, 200)

    def as_json(self) -> dict[str, JSON]:
        told: dict[str, JSON] = {"result": self.result, "generation": self.generation}
        return {**told, "errors": list(self.problems)} if self.problems else told


class Reloads:
    """The configuration of one worker: where it is from, what went wrong last, and how it takes another one."""

    def __init__(self, server: Running, origin: Origin, check: Callable[[Settings], None]) -> None:
        """`check` raises ConfigError for settings that do not go together."""
        self._server = server
        self._origin = origin
        self._check = check
        self.generation = FIRST
        self.loaded_at = time.time()
        self.where = str(origin.path) if origin.path is not None else "defaults, environment and flags"
        self.failed: dict[str, JSON] | None = None
        self._fingerprint = ""
        self._ready: dict[str, tuple[Settings, Stage]] = {}  # checked here, not yet in force, by fingerprint
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        server.state.subscribe(TOPIC, self._heard)

    async def join(self) -> None:
        """Takes what the other workers have taken since this one's settings were made."""
        values = await self._server.state.values(MACHINE)
        if (current := values.get(KEY)) is not None:
            self.take(current)
        elif (document := await self._document()) is not None:
            self._fingerprint = await asyncio.to_thread(_fingerprint, document, self._server.settings)

    async def _document(self) -> Document | None:
        try:
            return await asyncio.to_thread(self._origin.document)
        except ConfigError:
            return None  # it was there at the start; whoever asks for it anew is told

    # --- asked for

    async def again(self, why: str) -> Outcome:
        """The file as it is now, with environment and flags over it. Does nothing where it is what is in force."""
        try:
            document = await asyncio.to_thread(self._origin.document)
        except ConfigError as error:
            return await self._not_taken("invalid", why, str(error))
        return await self.given(document, why)

    async def given(self, document: Document | None, why: str) -> Outcome:
        """A configuration as a whole, in the place of the file's."""
        from llm_simulator.config.changes import refused  # a start does not pay for what may come

        async with self._one:
            try:
                settings = await asyncio.to_thread(self._origin.settings, document)
                fingerprint = await asyncio.to_thread(_fingerprint, document, settings)
                if fingerprint == self._fingerprint:
                    self._count("unchanged")
                    log.info("configuration %d stays: %s brought nothing new", self.generation, why)
                    return Outcome("unchanged", self.generation)
                if problems := tuple(refused(self._server.settings, settings)):
                    return await self._not_taken("refused", why, "\n".join(problems))
                made = self._made(settings)
            except ConfigError as error:
                return await self._not_taken("invalid", why, str(error))
            return await self._publish(document, made, fingerprint, why)

    def _made(self, settings: Settings) -> tuple[Settings, Stage]:
        """What will be swapped in.

        Raises:
            ConfigError: it cannot be.
        """
        from llm_simulator.config.changes import taken

        settings = taken(self._server.settings, settings)
        self._check(settings)
        return settings, self._server.stage.renewed(settings)

    async def _publish(
        self, document: Document | None, made: tuple[Settings, Stage], fingerprint: str, why: str
    ) -> Outcome:
        settings, before = made[0], self._server.stage.initial
        self._ready[fingerprint] = made
        told: dict[str, JSON] = {
            "fingerprint": fingerprint,
            "seed": settings.seed,
            "why": why,
            "at": time.time(),
            "document": [document.where, document.suffix, document.text] if document is not None else None,
        }
        if settings.workers > 1:  # the others do now, beside their calls, what would hold these up at the switch
            await self._server.state.publish(TOPIC, {"ahead": told})
            await asyncio.sleep(AHEAD_SECONDS)
        was = self.generation
        current = await self._server.state.step(MACHINE, KEY, told)
        await self._server.state.publish(TOPIC, current)
        self._count("ok" if self.generation > was else "unchanged")  # another worker may have been asked, too
        if settings.scenario != before:  # what is in force stays so, unless the configuration wants another
            await self._server.stage.switch(settings.scenario)
        return Outcome("ok", self.generation)

    async def _not_taken(self, result: str, why: str, message: str) -> Outcome:
        self._count(result)
        message = self._server.clean(message)
        failed: dict[str, JSON] = {"result": result, "why": why, "at": time.time(), "errors": message.splitlines()}
        await self._server.state.publish(TOPIC, {"failed": failed})
        log.error("%s: the configuration is %s, %d stays in force:\n%s", why, result, self.generation, message)
        return Outcome(result, self.generation, tuple(message.splitlines()))

    def _count(self, result: str) -> None:
        self._server.observer.metrics.count(*_METRIC, {"result": result})

    # --- told

    def _heard(self, message: JSON) -> None:
        if "failed" in message:
            self.failed = message["failed"]
        elif "ahead" in message:
            self._later(self._ahead(message["ahead"]))
        else:
            self.take(message)

    async def _ahead(self, message: JSON) -> None:
        """Makes ready what will be switched to."""
        if message["fingerprint"] in self._ready:
            return  # it was this worker that checked it
        try:
            settings = await asyncio.to_thread(self._origin.settings, _document_of(message))
            self._ready.setdefault(message["fingerprint"], self._made(settings))
        except SimulatorError:
            return  # told at the switch

    def take(self, message: JSON) -> None:
        """Switches to what another worker has checked, or this one."""
        if message["generation"] <= self.generation:
            return
        made = self._ready.pop(message["fingerprint"], None)
        self._ready.clear()
        try:
            self._swap(message, *(made or self._made(self._origin.settings(_document_of(message)))))
        except SimulatorError as error:  # its files are not the same any more
            log.error("configuration %d of another worker is not taken: %s", message["generation"], error)

    def _swap(self, message: JSON, settings: Settings, stage: Stage) -> None:
        if not settings.deterministic and settings.seed != message["seed"]:  # it was drawn, by whoever was asked
            settings = replace(settings, seed=message["seed"])
            stage = self._server.stage.renewed(settings)
        self.generation = message["generation"]
        self.loaded_at, self.failed = message["at"], None
        self._fingerprint = message["fingerprint"]
        if message["document"] is not None:
            self.where = message["document"][0]
        self._server.adopt(settings, stage)
        logging.getLogger("llm_simulator").setLevel(settings.log_level.upper())
        log.info("configuration %d is in force (%s, seed %d)", self.generation, message["why"], settings.seed)

    # --- by itself

    def soon(self, why: str) -> None:
        """`again`, for who cannot wait (a signal)."""
        self._later(self.again(why))

    def _later(self, coming: Any) -> None:
        task = asyncio.get_running_loop().create_task(coming)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the configuration could not be looked after", exc_info=error)

    def watch(self) -> None:
        """From now on a file that changes is taken."""
        if self._origin.path is not None:
            self._later(self._watched(self._origin.path))

    async def _watched(self, path: Path) -> None:
        try:
            watchfiles = await asyncio.to_thread(__import__, "watchfiles")
        except ImportError:
            log.warning(
                "%s is not watched: pip install watchfiles (SIGHUP and POST /admin/config/reload do work)", path
            )
            return
        files = [path, *map(Path, self._server.settings.profiles)]
        names = {file.name for file in files}
        folders = {str(file.resolve().parent) for file in files}

        def ours(_: object, changed: str) -> bool:
            name = Path(changed).name
            return name in names or name == "..data"  # as Kubernetes swaps a ConfigMap

        try:
            async for _ in watchfiles.awatch(
                *folders, watch_filter=ours, stop_event=self._stop, debounce=200, step=50, recursive=False
            ):
                await self._changed(path)
        except OSError as error:
            log.warning("%s is not watched: %s", path, error)

    async def _changed(self, path: Path) -> None:
        """Whoever writes a file may empty it first: it is read when it has stayed the same for a moment."""
        before = None
        for _ in range(20):
            now = await asyncio.to_thread(_text, path)
            if now == before and now:
                break
            before = now
            await asyncio.sleep(SETTLED_SECONDS)
        await self.again(f"{path} has changed")

    async def close(self) -> None:
        """Ends what it does by itself."""
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _document_of(message: JSON) -> Document | None:
    if message["document"] is None:
        return None
    from llm_simulator.config.reading import Document

    return Document(*message["document"])


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _fingerprint(document: Document | None, settings: Settings) -> str:
    """Of a configuration with the files that it names."""
    parts = [document.suffix.encode(), document.text.encode("utf-8", "surrogatepass")] if document else []
    digest = hashlib.blake2b(digest_size=16)
    for part in (*parts, *(_text(Path(name)) for name in settings.profiles)):
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()
