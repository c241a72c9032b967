"""Runs the steps of deploy/Dockerfile without a container engine: `python deploy/try_steps.py [PYTHON]`.

Each stage is a folder with a fresh virtual environment of PYTHON (default: this one); COPY copies, RUN runs there, with the
image's absolute paths put below the folder. The last stage's command is then started as the image's user (uid 10001, where
we are root: on a read-only file system with a fresh /tmp, as docker-compose.yml does), and must answer on /ready and to
the image's own HEALTHCHECK. `useradd` alone is left out: a number needs no account. PYTHON must be readable by that user
(`LD_LIBRARY_PATH`, `PIP_*` and `SSL_*` are passed on).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UID = 10001
PORT = 8080
READ_ONLY = (
    "mount --bind / / && mount -o remount,bind,ro / && mount -t tmpfs tmpfs /tmp && "
    "exec setpriv --reuid {uid} --regid {uid} --clear-groups {command}"
)


class Stage:
    """One stage: `/x` of the image is `folder/x`."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.here = folder
        subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
        self.environ = {
            "PATH": f"{folder / 'venv/bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
        }
        self.environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LD_"))}

    def path(self, name: str) -> Path:
        return self.folder / name.lstrip("/") if name.startswith("/") else self.here / name

    def run(self, command: str) -> None:
        placed = re.sub(r"(?<![\w.])/(wheels|src)\b", lambda found: str(self.folder / found[1]), command)
        print(f"  RUN {placed}", flush=True)
        subprocess.run(["sh", "-ec", placed], cwd=self.here, env=self.environ, check=True)

    def copy(self, source: Path, target: Path, name: str) -> None:
        into = target / name if target.is_dir() and source.is_file() else target
        into.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True, ignore=without)
        else:
            shutil.copy(source, into)


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def build(folder: Path, python: str) -> tuple[Stage, list[str], list[str]]:
    """The last stage, its command and its health check."""
    stages: dict[str, Stage] = {}
    command: list[str] = []
    health: list[str] = []
    stage: Stage | None = None
    for word, rest in instructions():
        print(word, rest, flush=True)
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stage = stages[name] = Stage(folder / name, python)
            continue
        assert stage is not None
        match word:
            case "WORKDIR":
                stage.here = stage.path(rest)
                stage.here.mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = rest.split()
                origin = ROOT
                if sources[0].startswith("--from="):
                    origin = stages[sources.pop(0).removeprefix("--from=")].folder
                for source in sources:
                    stage.copy(origin / source.lstrip("/"), stage.path(target), Path(source).name)
            case "RUN":
                if not rest.startswith("useradd"):
                    stage.run(rest)
            case "ENTRYPOINT" | "CMD":
                command += json.loads(rest)
            case "HEALTHCHECK":
                health = json.loads(rest[rest.index("CMD") + 3 :])
            case _:  # USER and EXPOSE say what we do anyway
                pass
    assert stage is not None
    return stage, command, health


def serve(stage: Stage, command: list[str], health: list[str]) -> None:
    bare = [str(stage.folder / "venv" / "bin" / command[0]), *command[1:]]
    if os.getuid() == 0:
        shell = READ_ONLY.format(uid=UID, command=shlex.join(bare))
        bare = ["unshare", "--mount", "sh", "-ec", shell]
    process = subprocess.Popen(bare, env=stage.environ, cwd=stage.folder)
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=2) as answer:
                    print("/ready:", answer.status, answer.read().decode())
                break
            except OSError:
                assert process.poll() is None, f"the server ended with {process.returncode}"
                time.sleep(0.1)
        else:
            raise AssertionError("/ready did not answer within 20 s")
        owner = os.stat(f"/proc/{process.pid}").st_uid
        print("the server runs as uid", owner)
        assert owner != 0, "it must not run as root"
        subprocess.run(health, env=stage.environ, check=True)
        print("HEALTHCHECK: healthy")
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()
        headers = {"content-type": "application/json"}
        asked = urllib.request.Request(f"http://127.0.0.1:{PORT}/v1/chat/completions", body, headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            print("a chat completion:", answer.status, answer.headers["x-llm-simulator-source"])
    finally:
        process.terminate()
        process.wait(20)
    refused = subprocess.run(health, env=stage.environ, check=False, stderr=subprocess.DEVNULL).returncode
    print("HEALTHCHECK once it has stopped:", "healthy" if refused == 0 else f"unhealthy ({refused})")
    assert refused


def main() -> None:
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    with tempfile.TemporaryDirectory(prefix="llm-simulator-image-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        serve(*build(folder, python))


if __name__ == "__main__":
    main()
