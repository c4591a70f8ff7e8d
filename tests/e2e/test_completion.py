"""The completion scripts in the shells that they are for, put where `rehearse completion --help` says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook import ROOT
from terminal import Terminal

pytestmark = pytest.mark.e2e


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory, with two rehearsals in the report directory of what is begun there."""
    for name in ("20261122-223011-9f3a2c", "20261123-080000-000001"):
        directory = tmp_path / "rehearsals" / name
        directory.mkdir(parents=True)
        (directory / "record.json").write_text("{}")
    # The program under its own name, whatever this Python has installed.
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "rehearse").write_text(f'#!/bin/sh\nexec {sys.executable} -m migration_rehearsal.entry "$@"\n')
    (programs / "rehearse").chmod(0o755)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    paths = os.pathsep.join(str(ROOT / one) for one in ("src", "collections"))
    return {**kept, "PATH": f"{home / 'programs'}:{kept['PATH']}", "PYTHONPATH": paths, "HOME": str(home), "TERM": "xterm"}


def install(home: Path, shell: str, path: str) -> None:
    done = subprocess.run(["rehearse", "completion", shell], env=environment(home), capture_output=True, text=True, check=True)
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(done.stdout)


def needed(shell: str) -> str:
    found = shutil.which(shell)
    if not found:
        pytest.skip(f"{shell} is not installed")
    return found


def test_fish(home: Path) -> None:
    fish = needed("fish")
    install(home, "fish", ".config/fish/completions/rehearse.fish")

    def offered(line: str) -> list[str]:
        argv = [fish, "--command", f"complete --do-complete '{line}'"]
        done = subprocess.run(argv, cwd=home, env=environment(home), capture_output=True, text=True, check=True, timeout=60)
        return [one.split("\t")[0] for one in done.stdout.splitlines()]

    assert offered("rehearse comp") == ["compare", "completion"]
    assert offered("rehearse compare 20261122") == ["20261122-223011-9f3a2c"]
    assert "--report-dir" in offered("rehearse history --re")


@pytest.fixture
def zsh(home: Path) -> Iterator[Terminal]:
    program = needed("zsh")
    install(home, "zsh", ".zfunc/_rehearse")
    (home / ".zshrc").write_text("PS1='ready> '\nfpath+=~/.zfunc\nautoload -U compinit\ncompinit -u\n")
    terminal = Terminal([program, "-i"], home, environment(home))
    try:
        terminal.read(until=lambda: "ready>" in terminal.shown(), timeout_s=60)
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("rehearse comp\t", ("compare", "completion")),
        ("rehearse compare 20261122\t", ("compare 20261122-223011-9f3a2c",)),
        ("rehearse hist\t", ("history",)),
    ],
)
def test_zsh(zsh: Terminal, typed: str, shown: tuple[str, ...]) -> None:
    zsh.type(typed)
    zsh.read(until=lambda: all(word in zsh.shown() for word in shown), timeout_s=60)
