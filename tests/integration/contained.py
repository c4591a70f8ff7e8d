"""A stand-in for `docker exec` around a server of the tests, which are outside.

What it starts sees neither the work directories nor our temporary files, has nothing of our environment, is handed its streams by a client, and is
not ended with that client: its input ends then, and its output goes nowhere. So it is in a real container.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server

_CLIENT = """#!{python} -ISs
import os, subprocess, sys, threading

def carry(source, target, broken):
    try:
        while piece := os.read(source, 1 << 16):
            os.write(target, piece)
    except OSError:
        broken()
    os.close(target)

with open({noted!r}, "a") as noted:
    noted.write(" ".join(sys.argv[1:]) + "\\n")
view = {view!r}
drain = '"$@" | (trap "" PIPE; cat 2>/dev/null; exec cat >/dev/null)'
argv = ["unshare", "--mount", "sh", "-c", view, "sh", "env", "-i", "PATH=/usr/bin:/bin", "bash", "-o", "pipefail", "-c", drain, "bash", *sys.argv[3:]]
there = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
threading.Thread(target=carry, args=(0, os.dup(there.stdin.fileno()), lambda: None), daemon=True).start()
there.stdin.close()
out = threading.Thread(target=carry, args=(there.stdout.fileno(), 1, lambda: os._exit(1)))
out.start()
code = there.wait()
out.join()
os._exit(code)
"""


@dataclasses.dataclass(frozen=True)
class Container:
    """One, by the name that its prefix has."""

    place: Path
    name: str

    @property
    def prefix(self) -> tuple[str, ...]:
        return (str(self.place / self.name), "exec", "db")

    @property
    def said(self) -> str:
        """The words of everything that was started in it."""
        path = self.place / f"{self.name}.noted"
        return path.read_text() if path.exists() else ""

    @property
    def files(self) -> list[str]:
        """What lies in its temporary directory."""
        return sorted(os.listdir(self.place / f"{self.name}.files"))

    def around(self, server: Server) -> Server:
        return dataclasses.replace(server, prefix=self.prefix)


def container(place: Path, name: str, hidden: Path) -> Container:
    """A new one. `hidden`: a directory that nothing in it sees. The temporary directory in there is `inside.TEMPORARY`, and another one out here."""
    made = Container(place, name)
    own = place / f"{name}.files"
    own.mkdir(mode=0o777)
    Path(inside.TEMPORARY).mkdir(exist_ok=True)
    nothing, out_here = shlex.quote(str(hidden)), shlex.quote(inside.TEMPORARY)
    view = f"{{ [ ! -d {nothing} ] || mount -t tmpfs none {nothing}; }} && mount --bind {shlex.quote(str(own))} {out_here}"
    client = Path(made.prefix[0])
    client.write_text(
        _CLIENT.format(python=shutil.which("python3", path="/usr/bin:/bin") or sys.executable, noted=f"{client}.noted", view=f'{view} && exec "$@"')
    )
    client.chmod(0o755)
    return made


@functools.lru_cache
def possible() -> bool:
    """Whether this machine lets us have another view of its files."""
    argv = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(argv, capture_output=True, check=False).returncode == 0
