"""A real sshd on loopback, with a host key of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Missing(Exception):
    """What this machine lacks, in words."""


def require() -> None:
    """Raises Missing, with what to install."""
    for name in ("sshd", "ssh", "ssh-keygen"):
        if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            raise Missing(f"{name} is not installed (Debian: openssh-server, openssh-client)")


def program() -> str | None:
    """Its path, which has to be whole; None: there is none. Its directory is in no ordinary user's PATH."""
    return shutil.which("sshd") or shutil.which("/usr/sbin/sshd")


def start(directory: Path, port: int, place: Path, users: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Listening when it returns. Keys are those of `place`/authorized_keys; its own goes into `place`/known_hosts; what it says into sshd.log."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "host_key")], check=True)
    lines = [
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {directory}/host_key", "PidFile none", "UsePAM no", "StrictModes no",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", f"AuthorizedKeysFile {place}/authorized_keys",
        f"AllowUsers {' '.join(users)}", "LogLevel INFO", "Subsystem sftp internal-sftp", "MaxStartups 50", "MaxSessions 50",
        "SetEnv " + " ".join(f"{name}={value}" for name, value in environment.items()),
    ]  # fmt: skip
    (directory / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with open(directory / "sshd.log", "wb") as log:
        process = subprocess.Popen([program() or "sshd", "-D", "-e", "-f", str(directory / "sshd_config")], stdin=subprocess.DEVNULL, stderr=log)
    key = (directory / "host_key.pub").read_text().split()
    with open(place / "known_hosts", "a") as known:
        known.write(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process
        time.sleep(0.05)
    stop(process)
    raise RuntimeError(f"sshd does not answer: {(directory / 'sshd.log').read_text(errors='replace')}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it; the connections that it has made end with their other side."""
    process.send_signal(signal.SIGTERM)
    process.wait(10)
