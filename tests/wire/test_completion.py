"""Shell completion in real shells, as somebody types: the script that we print, sourced, and the tab key pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serving import llm_simulator

pytestmark = pytest.mark.wire

CODES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r|\x07")

TYPED = [
    ("llm-simulator cassette di\t", "llm-simulator cassette diff "),
    ("llm-simulator cassette prune --dupl\t", "llm-simulator cassette prune --duplicates "),
    ("llm-simulator completion f\t", "llm-simulator completion fish "),
    ("llm-simulator serve --mode record-m\t", "llm-simulator serve --mode record-missing "),
    ("llm-simulator cassette list -c demo_cas\t", "llm-simulator cassette list -c demo_cassette.yaml "),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with `llm-simulator` on the PATH, and a file to complete the name of."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "llm-simulator"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from llm_simulator.cli import main; main()" "$@"\n')
    script.chmod(0o755)
    (tmp_path / "demo_cassette.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(("typed", "shown"), TYPED)
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_what_is_typed(home: Path, typed: str, shown: str) -> None:
    with Terminal(["bash", "--norc", "--noprofile", "-i"], home) as terminal:
        terminal.type('PS1="ready> "; eval "$(llm-simulator completion bash)"; echo sour""ced\n')
        terminal.until("sourced")
        terminal.type(typed)
        terminal.until(shown)


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes_what_is_typed(home: Path) -> None:
    with Terminal(["zsh", "-f", "-i"], home) as terminal:
        terminal.type('autoload -U compinit; compinit -u; eval "$(llm-simulator completion zsh)"; echo sour""ced\n')
        terminal.until("sourced")
        terminal.type(TYPED[0][0])
        terminal.until(TYPED[0][1])


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_what_is_typed(home: Path) -> None:
    command = 'llm-simulator completion fish | source; complete -C "llm-simulator cassette di"'
    environ = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["fish", "-N", "-c", command], env=environ, capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.split("\t")[0].strip() == "diff"


@pytest.mark.parametrize(
    ("shell", "holds"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef llm-simulator"), ("fish", "complete --no-files --command")],
)
def test_the_script_of_every_shell_asks_our_program(shell: str, holds: str) -> None:
    made = llm_simulator("completion", shell)
    assert (made.returncode, made.stderr) == (0, "")
    assert holds in made.stdout
    assert f"_LLM_SIMULATOR_COMPLETE={shell}_complete" in made.stdout


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._command = command
        self._home = home
        self.shown = b""

    def __enter__(self) -> Terminal:
        self._master, inner = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BASH_")}
        path = f"{self._home / 'bin'}:{os.environ['PATH']}"
        environ = {**kept, "PATH": path, "TERM": "dumb", "HOME": str(self._home)}
        self._process = subprocess.Popen(
            self._command, stdin=inner, stdout=inner, stderr=inner, env=environ, cwd=self._home, start_new_session=True
        )
        os.close(inner)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str, seconds: float = 25) -> None:
        """Waits until the terminal shows `text`."""
        deadline = time.monotonic() + seconds
        while text not in CODES.sub(b"", self.shown).decode("utf-8", "replace"):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._master], [], [], max(left, 0))
            if not ready:
                raise AssertionError(f"{text!r} did not appear; the terminal shows {self.shown!r}")
            self.shown += os.read(self._master, 4096)
