"""Which program a revision starts is told; what it is given is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_raw import _program

SECRET = "hunter2"


def popen(*argv: str) -> tuple[str, tuple[Any, ...]]:
    return "subprocess.Popen", (argv[0], list(argv), None, None)


def shell(script: str) -> tuple[str, tuple[Any, ...]]:
    return popen("/bin/sh", "-c", script)


@pytest.mark.parametrize(
    ("started", "program"),
    [
        (("os.system", (b"PGPASSWORD=hunter2 psql -c x",)), "psql"),
        (("os.system", (b"",)), "sh"),
        (shell("PGPASSWORD=hunter2 psql -c x"), "psql"),
        (shell("PGPASSWORD='hunter2 hunter2' /usr/bin/psql -c x"), "psql"),
        (shell("cd /hunter2 && psql"), "psql"),
        (shell("export PGPASSWORD=hunter2; psql"), "psql"),
        (shell("set -e\nPGPASSWORD=hunter2\npg_dump x | psql"), "pg_dump"),
        (shell("exec env PGPASSWORD=hunter2 psql"), "psql"),
        (shell("echo hunter2"), "sh"),
        (shell("'hunter2"), "sh"),
        (shell("$(cat hunter2) x"), "a program"),
        (popen("bash", "-ec", "psql"), "psql"),
        (popen("bash", "/srv/load.sh", "-c", "hunter2"), "bash"),
        (popen("psql", "-c", "UPDATE users SET a = 'hunter2'"), "psql"),
        (popen("python", "-c", "import hunter2"), "python"),
        (popen("/usr/bin/psql", "postgresql://me:hunter2@host/db"), "psql"),
        (popen("env", "PGPASSWORD=hunter2", "psql"), "psql"),
        (("subprocess.Popen", ("psql", "psql", None, None)), "psql"),
        (("subprocess.Popen", (b"/usr/bin/psql", [b"/usr/bin/psql", b"-c"], None, None)), "psql"),
        (("os.exec", ("/usr/bin/psql", ["psql", "hunter2"], None)), "psql"),
        (("os.posix_spawn", ("/bin/sh", ["sh", "-c", "PGPASSWORD=hunter2 psql"], {})), "psql"),
        (("os.spawn", (0, "/usr/bin/psql", ["psql", "hunter2"], None)), "psql"),
    ],
)  # fmt: skip
def test_a_program_is_told_by_its_name_alone(started: tuple[str, tuple[Any, ...]], program: str) -> None:
    assert _program(*started) == program
