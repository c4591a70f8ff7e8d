"""Podman as Debian has it, with files of its own, and the image of the other containers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine import IMAGE, Missing, image_file, search_path

# Where cgroups are of the old kind, only runc comes to terms with them, and nobody may raise the limits that Podman would raise.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")


class Podman:
    """`program` is what stands in an inventory as the engine: Podman, with its options."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def run(self, *args: str, given: bytes = b"", timeout_s: float = 180) -> str:
        """Output of a command."""
        done = subprocess.run([str(self.program), *args], input=given, capture_output=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise RuntimeError(f"podman {args}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode()


@contextlib.contextmanager
def podman(place: Path) -> Iterator[Podman]:
    """Podman with the image, until the end of the block. Raises Missing, with what to install."""
    if os.geteuid() != 0:
        raise Missing("the tests do not run as root, and without it Podman needs users and networks that this machine need not have")
    for name in ("podman", "runc"):
        if not shutil.which(name):
            raise Missing(f"{name} is not installed (Debian: {name})")
    image = image_file()
    program = place / "podman"
    options = f"--root {place}/root --runroot {place}/run --storage-driver vfs --runtime runc --cgroup-manager cgroupfs --events-backend file"
    program.write_text(f'#!/bin/sh\nexport CONTAINERS_CONF=/dev/null\nexec podman {options} "$@"\n')
    program.chmod(0o755)
    found = Podman(program)
    try:
        found.run("import", "--change", f"ENV PATH={search_path(image)}", str(image), IMAGE)
        yield found
    finally:
        for command in (("rm", "--all", "--force", "--time", "0"), ("rmi", "--all", "--force")):
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                found.run(*command)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((path for path in mounts if path.startswith(f"{place}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)
