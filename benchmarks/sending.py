"""What a bare `send` of one event costs here: no server that writes each event for itself can be below it."""

from __future__ import annotations

import multiprocessing
import os
import resource
import selectors
import socket
from collections.abc import Sequence

EVENT = b"x" * 220
STREAMS, ROUNDS = 1000, 40


def cost() -> float:
    """Microseconds of processor time of a send on one of 1,000 connections; the reader is on another core."""
    cores = sorted(os.sched_getaffinity(0))
    with socket.create_server(("127.0.0.1", 0), backlog=STREAMS) as server:
        reader = multiprocessing.get_context("fork").Process(target=_read, args=(server.getsockname()[1], cores[-1]))
        reader.start()
        made = [server.accept()[0] for _ in range(STREAMS)]
    try:
        os.sched_setaffinity(0, {cores[0]})
        for sock in made:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before = _spent()
        for _ in range(ROUNDS):
            _send(made)
        return (_spent() - before) / (ROUNDS * STREAMS) * 1e6
    finally:
        os.sched_setaffinity(0, set(cores))
        for sock in made:
            sock.close()
        reader.join(10)


def _send(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.send(EVENT)


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _read(port: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    with selectors.DefaultSelector() as selector:
        for _ in range(STREAMS):
            selector.register(socket.create_connection(("127.0.0.1", port)), selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(65536):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
