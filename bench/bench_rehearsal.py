"""A whole rehearsal over SSH, and a second go from its template, beside the runbook's commands one after the other.

    python bench/bench_rehearsal.py [--rows 0] [--rounds 3]

Two hosts behind real sshd's on loopback, as the tests have them: users, home directories and servers of their own. With --rows 3800000 production
holds about 2 GB beside the sample's rows. Both do the same in turns: dump, carry over, restore, count, upgrade, look, downgrade, upgrade, clean up.
The rehearsal proves every value on top of that. At 2 GB there are also those that copy in other ways. A line a figure; exit code 1 if a limit is
passed. The best of the rounds counts. At 2 GB each way has to wait for a minute before it begins.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "src"), str(ROOT / "tests" / "e2e"), str(ROOT / "bench")]

import hosts as two_hosts  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session  # noqa: E402
from bench_copying import fill_memory  # noqa: E402
from bench_fingerprint import STOCK, fill  # noqa: E402
from playbook import finish  # noqa: E402

COPY = "bench_test_prod"
REVISION = "1f6d83b2c5a9"
COUNTED = ("users", "objects", "shifts", "contracts")
# From the stage "backup" to the end of "restore": what the runbook's steps 1 and 2 do.
COPYING = ("backup", "transfer", "restore")
# What is not ours: PostgreSQL's own programs, ssh's and the system's.
NOT_OURS = ("postgres", "pg_", "psql", "ssh", "sftp", "sudo", "sh", "tar", "cat", "nice", "rsync")
LIMITS_SEED = {"rehearsal / runbook": 1.5, "memory (MB)": 150.0}
LIMITS_LARGE = {
    "copying / runbook's": 0.65,
    "copying, pulled / runbook's": 0.65,
    "copying, pulled, ephemeral server / runbook's": 0.42,
    "copying, physical / runbook's": 0.10,
    "again's copy / copying": 0.10,
    "memory (MB)": 150.0,
}
# For so long it looks at each inode that was deleted whenever it makes a file, where the deletion is on the disk already (fs/ext4/ialloc.c,
# RECENTCY_MIN): making a copy of some thousand files takes a second more then.
EXT4_REMEMBERS_S = 61


class Runbook:
    """The commands of the manual runbook, each by a connection of its own, as a person or a script would give them."""

    def __init__(self, both: two_hosts.Hosts, work: Path) -> None:
        self.both, self.work = both, work
        self.seconds: dict[str, float] = {}

    def ssh(self, host: two_hosts.Host, *words: str) -> list[str]:
        known = self.both.place / "known_hosts"
        options = ["-F", "/dev/null", "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-i", str(self.both.place / "key")]
        return ["ssh", *options, "-p", str(host.port), f"{host.user}@127.0.0.1", shlex.join(words)]

    def postgres(self, host: two_hosts.Host, program: str, *words: str) -> list[str]:
        where = ["-h", str(host.socket_directory), "-p", str(host.postgres_port), "-U", "postgres"]
        prefix = ["sudo", "-n", "-u", host.owner] if host is self.both.production and self.both.root else []
        return self.ssh(host, *prefix, str(host.bin_dir / program), *where, *words)

    def alembic(self, *words: str) -> list[str]:
        application = self.both.dev_variables()["rehearsal_application"]
        url = application["environment"]["DATABASE_URL"].replace("{{ rehearsal_copy_database }}", COPY)
        command = [*application["command"], "-m", "alembic", "-c", "alembic.ini", *words]
        return self.ssh(self.both.dev, "env", "-C", application["chdir"], f"DATABASE_URL={url}", *command)

    def step(self, name: str, argv: list[str], given: Path | None = None, taken: Path | None = None) -> None:
        began = time.perf_counter()
        with open(given or "/dev/null", "rb") as source, open(taken or "/dev/null", "wb") as target:
            subprocess.run(argv, stdin=source, stdout=target, stderr=subprocess.PIPE, check=True, timeout=3600)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def run(self) -> None:
        production, dev = self.both.production, self.both.dev
        far, near = production.home / "backup.sql", self.work / "backup.sql"
        dump = shlex.join(["sudo", "-n", "-u", production.owner] if self.both.root else [])
        where = f"-h {production.socket_directory} -p {production.postgres_port} -U postgres -d {two_hosts.DATABASE}"
        self.step("backup", self.ssh(production, "sh", "-c", f"{dump} {production.bin_dir}/pg_dump {where} > {far}"))
        self.step("transfer", self.ssh(production, "cat", str(far)), taken=near)
        self.step("restore", self.postgres(dev, "psql", "-q", "-c", f"CREATE DATABASE {COPY}"))
        self.step("restore", self.postgres(dev, "psql", "-q", "-d", COPY), given=near)
        for table in COUNTED:
            self.step("restore", self.postgres(production, "psql", "-d", two_hosts.DATABASE, "-c", f"SELECT count(*) FROM {table}"))
            self.step("restore", self.postgres(dev, "psql", "-d", COPY, "-c", f"SELECT count(*) FROM {table}"))
        for words in (["current"], ["upgrade", "head"], ["current"]):
            self.step("upgrade", self.alembic(*words))
        for what in ("\\d object_openings", "\\d time_slots", "\\d shifts", "SELECT * FROM shifts ORDER BY id DESC LIMIT 5"):
            self.step("look", self.postgres(dev, "psql", "-d", COPY, "-c", what))
        for words in (["downgrade", REVISION], ["upgrade", "head"]):
            self.step("downgrade", self.alembic(*words))
        self.step("clean up", self.postgres(dev, "psql", "-q", "-c", f"DROP DATABASE {COPY}"))
        near.unlink()
        self.step("clean up", self.ssh(production, "rm", str(far)))


def descendants() -> set[str]:
    """The processes that this one started, however indirectly, and that still know it; Linux only."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[path.name] = (path / "stat").read_text().rsplit(")", 1)[1].split()[1]
    found = {str(os.getpid())}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {str(os.getpid())}


@contextlib.contextmanager
def memory() -> Iterator[dict[str, float]]:
    """The largest resident size (MB) of each program that is ours and begins meanwhile, looked at 20 times a second; Linux only."""
    found: dict[str, float] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for number in descendants():
                with contextlib.suppress(OSError, StopIteration, ValueError):
                    status = Path("/proc", number, "status").read_text()
                    name = status.split("\t", 1)[1].split("\n", 1)[0]
                    if name.startswith(NOT_OURS):
                        continue
                    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                    found[name] = max(found.get(name, 0.0), int(peak.split()[1]) / 1024)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def rehearse(both: two_hosts.Hosts, cwd: Path, again: bool = False, **dev: Any) -> tuple[float, dict[str, Any]]:
    """Seconds and the record. `dev`: of its variables."""
    program = ("rehearse", "again") if again else ("ansible-playbook", str(ROOT / "rehearse.yml"))
    began = time.perf_counter()
    played = finish(both.start(cwd, dev={"rehearsal_keep": "template", **dev}, program=program), cwd, 3600)
    seconds = time.perf_counter() - began
    if played.record is None or not played.record["verdict"].startswith("GO"):
        raise SystemExit(f"the rehearsal was not GO: {played.said}")
    return seconds, played.record


def other_ways(both: two_hosts.Hosts) -> dict[str, dict[str, Any]]:
    """Variables of dev with which it takes a copy from production itself, by the way's name."""
    reached = {**both.postgres(both.production), "host": "127.0.0.1", "user": "tests"}
    pulled = {"rehearsal_transfer": "pull", "rehearsal_production_from_dev": reached, "rehearsal_keep": "none"}
    application = both.dev_variables()["rehearsal_application"]
    own_server = {
        "rehearsal_copy": "ephemeral",
        "rehearsal_postgres": {},
        "rehearsal_ephemeral": {"bin_dir": str(both.dev.bin_dir)},
        "rehearsal_application": {**application, "environment": {"DATABASE_URL": "postgresql+psycopg://{{ rehearsal_copy_address }}"}},
    }
    physical = {"rehearsal_source": "basebackup", **pulled, **own_server}
    return {"pulled": pulled, "pulled, ephemeral server": {**pulled, **own_server}, "physical": physical}


def settle(both: two_hosts.Hosts, work: Path, large: bool) -> None:
    """What the way before left to be written, or has deleted, is not the next one's to pay for; as in bench_copying.py."""
    for host in (both.production, both.dev):
        both.execute(host, "CHECKPOINT")
    os.sync()
    if large:
        time.sleep(EXT4_REMEMBERS_S)
        fill_memory(work / f"cached-{len(list(work.glob('cached-*')))}")


def stage_seconds(record: dict[str, Any], names: tuple[str, ...]) -> float:
    return sum(stage["seconds"] for stage in record["stages"] if stage["name"] in names)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0, help="rows of the largest table beside the sample's; 3800000 make 2 GB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    limits, figures = (LIMITS_LARGE if options.rows else LIMITS_SEED), {}
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, two_hosts.hosts(Path(directory)) as both:
        work = Path(directory) / "work"
        work.mkdir()
        with open(both.production.directory / "pg" / "data" / "pg_hba.conf", "a") as allowed:
            allowed.write("host replication tests 127.0.0.1/32 trust\n")
        for host in (both.production, both.dev):
            both.execute(host, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in STOCK.items() if name != "shared_buffers"))
            both.execute(host, "SELECT pg_reload_conf()")
        if options.rows:
            with Session(two_hosts.admin(both.production), two_hosts.DATABASE, "bench") as session:
                session.execute("SET ROLE postgres")
                fill(session, options.rows)
        size = both.rows(both.production, f"SELECT pg_database_size('{two_hosts.DATABASE}') AS size")[0]["size"]
        print(f"production: {int(size) / 1e6:,.0f} MB", flush=True)
        books, whole, second = [], [], []
        others: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        with memory() as resident:
            for number in range(options.rounds):
                settle(both, work, bool(options.rows))
                book = Runbook(both, work)
                book.run()
                books.append(book)
                cwd = work / f"round-{number}"
                settle(both, work, bool(options.rows))
                whole.append(rehearse(both, cwd))
                settle(both, work, bool(options.rows))
                second.append(rehearse(both, cwd, again=True))
                for way, dev in other_ways(both).items() if options.rows else ():
                    settle(both, work, True)
                    others.setdefault(way, []).append(rehearse(both, work / f"{way.split()[-1]}-{number}", **dev))
                for row in both.rows(both.dev, "SELECT datname FROM pg_database WHERE datname LIKE 'rehearsal%'"):
                    both.execute(both.dev, f"ALTER DATABASE {row['datname']} IS_TEMPLATE false", f"DROP DATABASE {row['datname']} WITH (FORCE)")
    figures["runbook"] = min(sum(book.seconds.values()) for book in books)
    figures["rehearsal"] = min(seconds for seconds, _record in whole)
    figures["again"] = min(seconds for seconds, _record in second)
    figures["rehearsal / runbook"] = figures["rehearsal"] / figures["runbook"]
    theirs = min(sum(book.seconds[name] for name in COPYING) for book in books)
    ours = min(stage_seconds(record, COPYING) for _seconds, record in whole)
    figures |= {"runbook's copying": theirs, "copying": ours, "copying / runbook's": ours / theirs}
    for way, found in others.items():
        figures[f"rehearsal, {way}"] = min(seconds for seconds, _record in found)
        figures[f"copying, {way}"] = min(stage_seconds(record, COPYING) for _seconds, record in found)
        figures[f"copying, {way} / runbook's"] = figures[f"copying, {way}"] / theirs
    figures["again's copy"] = min(stage_seconds(record, COPYING) for _seconds, record in second)
    figures["again's copy / copying"] = figures["again's copy"] / ours
    load = whole[-1][1]["production"].get("load") or {}
    figures |= {f"production's {name}": float(value) for name, value in load.items() if isinstance(value, (int, float))}
    figures["memory (MB)"] = max(resident.values())
    passed = False
    for name, value in figures.items():
        limit = f"   (at most {limits[name]:g})" if name in limits else ""
        passed |= name in limits and value > limits[name]
        print(f"{name:46} {value:12,.3f}{limit}")
    print("largest of each program (MB):", ", ".join(f"{name} {size:.0f}" for name, size in sorted(resident.items(), key=lambda one: -one[1])[:6]))
    return int(passed)


if __name__ == "__main__":
    sys.exit(main())
