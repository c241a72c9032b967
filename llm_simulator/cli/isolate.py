"""`run --isolate`: simulator and child together in a Linux network namespace that has loopback only.

There is no route out of it, whatever the child does: that is the proof of "no network at all".
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from llm_simulator.errors import ConfigError

_CLONE_NEWUSER = 0x1000_0000  # sched.h
_CLONE_NEWNET = 0x4000_0000
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914  # linux/sockios.h
_IFF_UP = 0x1


def isolate() -> None:
    """Moves this process (which must still be single-threaded) into a namespace with loopback only.

    Raises:
        ConfigError: not on Linux, or the kernel does not allow it.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigError(f"--isolate needs Linux network namespaces; this is {sys.platform}")
    uid, gid = os.getuid(), os.getgid()
    if not (uid == 0 and _unshare(_CLONE_NEWNET) == 0):
        number = _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        if number:
            raise ConfigError(
                f"--isolate: the kernel refused a network namespace ({os.strerror(number)}); run as root, or allow "
                "unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
            )
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _loopback_up()


def _unshare(flags: int) -> int:
    """0, or the error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.unshare(flags) == 0 else ctypes.get_errno()


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def interfaces() -> list[str]:
    """Names of the interfaces that this process can see."""
    return [name for _, name in socket.if_nameindex()]
