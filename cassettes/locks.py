"""Who records into a text cassette: a shared lock for each recorder; joining, leaving and folding happen one at a time.

Locks are advisory (flock), so a killed process leaves none behind. The folder's lock is the gate that is held for the
short time of a join, leave or fold; behind it nobody can slip in between a look and a deed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def gate(folder: Path) -> AsyncGenerator[None]:
    """The one at a time; waits in a thread for whoever holds it."""
    file = os.open(folder, os.O_RDONLY)
    try:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


class Membership:
    """A recorder's place among those of one cassette. Every method is called behind the gate."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_SH)  # never waits: the exclusive lock is only tried behind the gate

    def alone(self) -> bool:
        """Whether no other recorder has joined."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._file, fcntl.LOCK_SH)
        return True

    def leave(self, *, last: bool) -> None:
        """Gives the place up; the last one takes the lock file away."""
        if last:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
