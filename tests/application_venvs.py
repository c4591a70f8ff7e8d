"""Virtualenvs of applications that tests migrate: made once with pip, kept in the cache directory, never in the checkout."""

from __future__ import annotations

import fcntl
import functools
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

INSTALL_TIMEOUT_S = 600


def not_fetched(why: str) -> NoReturn:
    """What a test needs cannot be had from the network: at home the test is skipped, on CI nothing is left out unseen."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def cache_directory() -> Path:
    """Where they are kept between runs; tests of several workers share them."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "migration-rehearsal-tests"


@functools.cache
def find_python(version: str) -> str | None:
    """An interpreter of that version (such as 3.8) on this machine, or None."""
    candidates = [shutil.which(f"python{version}"), *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")))]
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-c", "import venv, ensurepip, ssl"], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def venv_python(version: str | None, *requirements: str) -> str:
    """The Python of a virtualenv with these packages. `version` None: the Python that runs the tests. What cannot be installed is `not_fetched`."""
    base = sys.executable if version is None else find_python(version)
    if base is None:
        pytest.skip(f"no Python {version} on this machine")
    found = subprocess.run([base, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256(repr((found, list(requirements))).encode()).hexdigest()[:16]
    cache = cache_directory()
    ready = cache / key
    if not ready.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / f"{key}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                _install(base, ready, requirements)
    return str(ready / "bin" / "python")


def _install(base: str, ready: Path, requirements: tuple[str, ...]) -> None:
    # It stays where it was made, for its programs begin with the path of its Python; the link says that it is complete.
    making = ready.with_suffix(".venv")
    shutil.rmtree(making, ignore_errors=True)
    wanted = " ".join(requirements)
    try:
        subprocess.run([base, "-m", "venv", str(making)], check=True, capture_output=True)
        # Not compiled: most of a large package is never imported, and what is, Python compiles then.
        argv = [str(making / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--no-input"]
        pip = subprocess.run([*argv, *requirements], capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        if pip.returncode != 0:
            not_fetched(f"cannot install {wanted}: {' '.join(pip.stderr.strip().splitlines()[-1:])}")
        ready.symlink_to(making.name)
    except subprocess.TimeoutExpired:
        not_fetched(f"cannot install {wanted} within {INSTALL_TIMEOUT_S} s")
    finally:
        if not ready.exists():
            shutil.rmtree(making, ignore_errors=True)
