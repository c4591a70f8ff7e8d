"""Run the real playbook against a demonstration that is up, and look at what it left."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, quote_identifier

from migration_rehearsal import demo_servers, embedded

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
# Longer than any run takes on a busy machine; a run that hangs is ended by it.
TIMEOUT_S = 400
# What has been told to end is given this long to be gone.
GONE_S = 15.0
# A clean-up from outside is given this long.
CLEAN_S = 60.0


@dataclasses.dataclass(frozen=True)
class Played:
    """How a run ended. `record` is that of the newest rehearsal, None where there is none; `directory` is where it lies."""

    rc: int
    stdout: str
    stderr: str
    report_dir: Path

    @property
    def said(self) -> str:
        """All that was printed, without the line breaks and indents of Ansible."""
        return " ".join(f"{self.stdout}\n{self.stderr}".split())

    @property
    def directories(self) -> list[Path]:
        """One for each rehearsal below the report directory, oldest first."""
        return sorted(path for path in self.report_dir.glob("*") if path.is_dir() and not path.is_symlink())

    @property
    def directory(self) -> Path:
        return self.directories[-1]

    @property
    def record(self) -> dict[str, Any] | None:
        return self.records[-1] if self.directories else None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of all rehearsals that have one, oldest first."""
        return [json.loads((path / "record.json").read_text()) for path in self.directories if (path / "record.json").exists()]

    def record_of(self, dev_host: str) -> dict[str, Any]:
        """The record of the rehearsal of one dev host."""
        (found,) = [record for record in self.records if record["copy"]["host"] == dev_host]
        return found


def findings(record: Mapping[str, Any], code: str) -> list[dict[str, Any]]:
    """The findings of one code."""
    return [finding for finding in record["findings"] if finding["code"] == code]


# Words that come from rows and from nowhere else: Cyrillic ones, and long ones with digits (coordinates, numbers of contracts, file ids).
_TELLING = re.compile(r"[А-Яа-яЁё]{4,}|(?<![\w.-])(?=[\w.-]*\d)[\w.-]{8,}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def telling_words(text: str) -> set[str]:
    """The words of a text by which a row would be known; also where JSON has escaped them."""
    plain = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
    return {word for word in _TELLING.findall(plain) if not _DATE.match(word)}


@dataclasses.dataclass(frozen=True)
class Demo:
    """Two servers that are up, production filled. `home` is the home directory of everything that is started."""

    state: demo_servers.DemoState
    home: Path
    databases: Mapping[str, frozenset[str]]

    # -- Inventories --------------------------------------------------------------------------------------------------------

    def production_variables(self, **changes: Any) -> dict[str, Any]:
        """The host variables of production; a value of None takes one out."""
        server = self.state.production
        return _changed(
            {"rehearsal_postgres": self.postgres("production"), "rehearsal_database": server.database, "rehearsal_work_dir": str(server.work_dir)},
            changes,
        )

    def dev_variables(self, **changes: Any) -> dict[str, Any]:
        """The host variables of dev; a value of None takes one out."""
        return _changed(
            {
                "rehearsal_postgres": self.postgres("dev"),
                "rehearsal_work_dir": str(self.state.dev.work_dir),
                "rehearsal_application": self.application(),
                "rehearsal_expectations": str(self.state.application / "expectations.yml"),
            },
            changes,
        )

    def postgres(self, side: str, **changes: Any) -> dict[str, Any]:
        """rehearsal_postgres of production or dev."""
        cluster = self.cluster(side)
        found = {"host": str(cluster.socket_directory), "port": cluster.port, "user": cluster.user, "bin_dir": str(cluster.bin_dir)}
        return _changed(found, changes)

    def application(self, **changes: Any) -> dict[str, Any]:
        """rehearsal_application."""
        found = {
            "command": [sys.executable],
            "chdir": str(self.state.application),
            "config": "alembic.ini",
            "environment": {"DATABASE_URL": self.copy_url()},
        }
        return _changed(found, changes)

    def copy_url(self, password: str = "") -> str:
        """What the application's environment says of the copy, whose name Ansible fills in."""
        cluster = self.state.dev.cluster
        user = f"{cluster.user}:{password}" if password else cluster.user
        return (
            f"postgresql+psycopg://{user}@/{{{{ rehearsal_copy_database }}}}?host={quote(str(cluster.socket_directory), safe='')}&port={cluster.port}"
        )

    def inventory(self, directory: Path, *, production: Mapping[str, Any] | None = None, dev: Mapping[str, Any] | None = None) -> Path:
        """An inventory of one production host `production` and one dev host `rehearsal`, with other values for some variables."""
        return self.write_inventory(
            directory,
            prod={"production": self.production_variables(**(production or {}))},
            dev={"rehearsal": self.dev_variables(**(dev or {}))},
        )

    def write_inventory(self, directory: Path, *, prod: Mapping[str, Any], dev: Mapping[str, Any]) -> Path:
        """An inventory of any hosts: group → host → variables. All of them are this machine unless they say otherwise."""
        directory.mkdir(parents=True, exist_ok=True)
        everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        children = {"prod": {"hosts": dict(prod)}, "dev": {"hosts": dict(dev)}}
        path = directory / "hosts.yml"
        path.write_text(yaml.safe_dump({"all": {"vars": everywhere, "children": children}}, allow_unicode=True, sort_keys=False))
        return path

    # -- Runs ---------------------------------------------------------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        """No configuration of the machine's, and a mark (REHEARSAL_DEMO) by which `left` knows every process of this demonstration."""
        ours = ("ANSIBLE_", "PG", "POSTGRES_", "DATABASE_URL", "PYTHONPATH", "REHEARSAL_DEMO")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        empty = self.home / "empty.cfg"
        empty.touch()
        return kept | {
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(empty),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            demo_servers.DIRECTORY_VARIABLE: str(self.state.directory),
        } | more  # fmt: skip

    def start(
        self, inventory: Path, cwd: Path, *options: str, playbook: str = "rehearse.yml", environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """ansible-playbook, running, as the leader of a process group of its own; its rehearsals go to `rehearsals` in `cwd`."""
        cwd.mkdir(parents=True, exist_ok=True)
        argv = [str(PROGRAMS / "ansible-playbook"), str(ROOT / playbook), "-i", str(inventory), *options]
        return _start(argv, cwd, self.environment(**(environment or {})))

    def play(self, inventory: Path, cwd: Path, *options: str, playbook: str = "rehearse.yml", environment: Mapping[str, str] | None = None) -> Played:
        """Run the playbook to its end."""
        return finish(self.start(inventory, cwd, *options, playbook=playbook, environment=environment), cwd)

    def rehearse(self, cwd: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Played:
        """Run the `rehearse` command to its end."""
        cwd.mkdir(parents=True, exist_ok=True)
        return finish(_start([str(PROGRAMS / "rehearse"), *arguments], cwd, self.environment(**(environment or {}))), cwd)

    # -- What is there ------------------------------------------------------------------------------------------------------

    def cluster(self, side: str) -> embedded.Cluster:
        return getattr(self.state, side).cluster  # type: ignore[no-any-return]

    def server(self, side: str, user: str | None = None) -> Server:
        """The server of production or dev."""
        cluster = self.cluster(side)
        return Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=user or cluster.user)

    def rows(self, side: str, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        """The rows of a query on one of the servers."""
        with Session(self.server(side), database, "tests") as session:
            return session.rows(query)

    def execute(self, side: str, *statements: str, database: str = "postgres") -> None:
        """Statements on one of the servers, each in a transaction of its own."""
        with Session(self.server(side), database, "tests") as session:
            for statement in statements:
                session.execute(statement)

    def row_values(self, side: str, database: str) -> set[str]:
        """The telling words of all text, JSON and UUID values in a database."""
        query = (
            "SELECT format('SELECT string_agg(concat_ws('' '', %s), '' '') AS words FROM %I', "
            "string_agg(quote_ident(column_name), ', '), table_name) AS reading "
            "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' "
            "AND data_type IN ('text', 'character varying', 'jsonb', 'uuid', 'ARRAY') GROUP BY table_name"
        )
        texts = [self.rows(side, row["reading"], database)[0]["words"] or "" for row in self.rows(side, query, database)]
        return telling_words(" ".join(texts))

    @contextlib.contextmanager
    def another_database(self, side: str, name: str, template: str = "template0") -> Any:
        """One more database on a server, for example a second production (template="staffprobot_prod", a file copy)."""
        self.execute(side, f"CREATE DATABASE {quote_identifier(name)} TEMPLATE {quote_identifier(template)}")
        try:
            yield name
        finally:
            self.execute(side, f"DROP DATABASE {quote_identifier(name)} WITH (FORCE)")

    def dump(self, side: str, database: str) -> str:
        """Everything that is in a database, as pg_dump writes it, without what it makes up for each dump."""
        server = self.server(side)
        argv = [*server.tool("pg_dump", "--no-password", f"--dbname={server.conninfo(database, 'tests', {})}")]
        text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)

    def left(self, *report_dirs: Path, expected: Mapping[str, set[str]] | None = None) -> list[str]:
        """What rehearsals left: databases, work directories, sessions, processes, and dumps in the report directories given.

        Waits for processes and sessions that are about to end. `expected`: further databases by side that are meant to be there.
        """
        deadline = time.monotonic() + GONE_S
        while (passing := self._processes() + self._sessions()) and time.monotonic() < deadline:
            time.sleep(0.1)
        found = [*passing]
        for side in ("production", "dev"):
            names = {row["datname"] for row in self.rows(side, "SELECT datname FROM pg_database")}
            allowed = self.databases[side] | (expected or {}).get(side, set())
            found += [f"{side}: database {name}" for name in sorted(names - allowed)]
            found += [f"{side}: database {name} is gone" for name in sorted(allowed - names)]
            work = getattr(self.state, side).work_dir
            found += [f"{side}: {path}" for path in ([work, *work.rglob("*")] if work.exists() else [])]
        for directory in report_dirs:
            found += [f"controller: {path}" for name in ("transfer", "evidence.tar.gz", "*.partial") for path in directory.rglob(name)]
        found += [f"controller: {path}" for path in self.home.glob(".ansible/tmp/*")]
        return found

    def _sessions(self) -> list[str]:
        query = "SELECT application_name AS name FROM pg_stat_activity WHERE application_name ~* 'rehears'"
        return [f"{side}: session {row['name']}" for side in ("production", "dev") for row in self.rows(side, query)]

    def _processes(self) -> list[str]:
        """Processes that were started, however indirectly, by a run on this demonstration (Linux only)."""
        mark = f"{demo_servers.DIRECTORY_VARIABLE}={self.state.directory}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if int(path.parent.name) != os.getpid() and mark in path.read_bytes().split(b"\0"):
                    words = (path.parent / "cmdline").read_text(errors="replace").split("\0")
                    found.append(f"process {path.parent.name}: {' '.join(words)[:200]}")
            except OSError:
                continue
        return found


def _changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def _start(argv: list[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    # Files, not pipes: what outlives the run (the watch) holds them open.
    with open(cwd / "stdout.txt", "w") as out, open(cwd / "stderr.txt", "w") as err:
        return subprocess.Popen(argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True, start_new_session=True)


def finish(process: subprocess.Popen[str], cwd: Path, timeout_s: float = TIMEOUT_S) -> Played:
    """Wait for the end of what `Demo.start` started in `cwd`."""
    try:
        rc = process.wait(timeout_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Played(rc, (cwd / "stdout.txt").read_text(), (cwd / "stderr.txt").read_text(), cwd / "rehearsals")


def wait_for_record(directory: Path) -> dict[str, Any]:
    """The record of a rehearsal whose controller was ended, once somebody has cleaned up in its place."""
    deadline = time.monotonic() + CLEAN_S
    while time.monotonic() < deadline:
        if json.loads((directory / "state.json").read_text())["cleaned"]:
            return json.loads((directory / "record.json").read_text())  # type: ignore[no-any-return]
        time.sleep(0.2)
    log = directory / "cleanup.log"
    raise AssertionError(f"not cleaned up within {CLEAN_S:g} s: {log.read_text() if log.exists() else 'clean-up never began'}")
