"""What a copy costs, from the backup on: by dump and physically, beside the runbook's commands, `pg_basebackup` and pgcopydb on the same machine.

    PYTHONPATH=src:collections python bench/bench_copying.py [--rows 3800000] [--times 1] [--ways existing,ephemeral,straight,physical,again]

Starts two servers (production, and dev's existing one) with PostgreSQL's default settings for durability and memory, and removes them.
3,800,000 rows make about 2 GB. What lies in a file goes to dev by scp from a real sshd on loopback, the runbook's dump and ours alike. A line a
figure; with --rows 3000000 or more exit code 1 if a limit is passed (below that, fixed costs decide). pgcopydb is measured where it is on PATH and
knows the server's version.
Needs about thirty times the room of the database in the directory for temporary files (TMPDIR).
"""

from __future__ import annotations

import argparse
import datetime
import getpass
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    basebackup,
    clean_up,
    copying,
    ephemeral,
    files,
    kept_server,
    kept_template,
    planner_statistics,
    row_files,
    spare_copy,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, format_time, new_id, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, tool_version
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from bench_fingerprint import ROWS_FOR_LIMITS, SOURCE, STOCK, fill, touch

from migration_rehearsal import embedded

sys.path.append(str(Path(__file__).parents[1] / "tests" / "e2e"))
import sshd  # noqa: E402

RUNBOOK, EXISTING, EPHEMERAL = "the runbook's commands", "dump, existing server", "dump, ephemeral server"
PULLED_EXISTING, PULLED_EPHEMERAL = "dump, pulled, existing server", "dump, pulled, ephemeral server"
PHYSICAL, PULLED, ALONE, PGCOPYDB = "physical, carried", "physical, pulled by dev", "pg_basebackup alone", "pgcopydb"
AGAIN, AGAIN_OWN, AGAIN_ANEW = "again, from the template", "again, ephemeral server", "again, ephemeral server, all files"
# No part of a way's seconds: what a rehearsal does next, and what it waits for then, before a migration is measured.
PROOF, DISK = "after it: proof of all values", "after that: waiting for the disk"
PROOF_OF_DUMP = "after it: proof, planner's statistics"
LIMITS = {
    f"{EXISTING} / {RUNBOOK}": 0.65,
    f"{PULLED_EXISTING} / {RUNBOOK}": 0.65,
    f"{PULLED_EPHEMERAL} / {RUNBOOK}": 0.42,
    f"{PULLED_EPHEMERAL} / {PGCOPYDB}": 1.0,
    f"{PULLED} / {RUNBOOK}": 0.10,
    f"{PULLED} / {ALONE}": 1.3,
    f"{AGAIN} / {EXISTING}": 0.10,
    f"{AGAIN_OWN} / {EXISTING}": 0.10,
    "memory (MB)": 150.0,
}
DEADLINE_S = 3600.0
# What a way of ours gives back: what was to be made, and what was.
Copied = tuple[copying.Order, copying.Made]
# Of all memory, in bytes: little more than what the kernel keeps free itself.
LEFT_FREE = 200 << 20
LARGE_FILE = 1 << 20


class Bench:
    def __init__(self, production: Server, dev: Server, base: Path, options: argparse.Namespace, scp: list[str]) -> None:
        self.production, self.dev, self.base, self.scp = production, dev, base, scp
        self.figures: dict[str, float] = {}
        self.seconds: dict[str, list[float]] = {}
        self.places: list[Path] = []
        self.major = tool_version(production, "postgres")[0]

    def say(self, name: str, value: float, unit: str = "s") -> None:
        self.figures[name] = value
        print(f"{name:45}{value:10.3f} {unit}", flush=True)

    def ratio(self, over: str, under: str) -> None:
        if over in self.figures and under in self.figures:
            name = f"{over} / {under}"
            self.figures[name] = self.figures[over] / self.figures[under]
            limit = LIMITS.get(name)
            print(f"{name:60}{self.figures[name]:10.3f}" + (f"   (at most {limit:g})" if limit else ""), flush=True)

    def measure(self, name: str, way: Callable[[Path], Copied | None]) -> None:
        """Once more the seconds of a way that gets an empty directory."""
        self.settle()
        with self.place() as place:
            start = time.perf_counter()
            copied = way(place)
            self.took(name, time.perf_counter() - start)
            if copied:
                self.until_migrated(copied)

    def took(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)
        print(f"{name:45}{seconds:10.3f} s", flush=True)

    def medians(self) -> None:
        for name, seconds in self.seconds.items():
            self.say(name, statistics.median(seconds))

    def until_migrated(self, copied: Copied) -> None:
        """What comes between the making of a copy and the first migration. A dump brings no statistics."""
        order, made = copied
        dumped = made.copy["proved_by"] == "counts"
        start = time.perf_counter()
        with (
            Session(made.server, order.database, "bench", deadline_s=DEADLINE_S) as session,
            planner_statistics.gathered_meanwhile(made.server, order.database, order.marker.id, order.jobs if dumped else 0, DEADLINE_S),
        ):
            take_fingerprint(session, connections=2)
        start = self.part(PROOF_OF_DUMP if dumped else PROOF, start)
        if order.server is None:
            ephemeral.settle_on_disk(order.work, order.marker.id, DEADLINE_S)
            self.part(DISK, start)

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A directory for one way. Its files stay until the end, the large ones without their content: whenever ext4 makes a file, it looks at the
        inodes that were deleted within the last minutes, so that each way would pay for the files of the one before it."""
        path = Path(tempfile.mkdtemp(prefix="way-", dir=self.base))
        path.chmod(0o711)
        self.places.append(path)
        try:
            yield path
        finally:
            for work in path.rglob("work/*"):
                WorkDirectory(str(work)).stop_processes()
            for file in path.rglob("*"):
                if file.is_file() and not file.is_symlink() and file.stat().st_size > LARGE_FILE:
                    os.truncate(file, 0)

    def remove(self) -> None:
        """Everything that the ways have made, also what of it lies elsewhere."""
        for path in self.places:
            for work in path.rglob("work/*"):
                if WorkDirectory(str(work)).marker() is not None:
                    WorkDirectory(str(work)).remove()

    def settle(self) -> None:
        """What an earlier way left to be written is not the next one's to wait for, and memory is as where a machine has run for a while."""
        for server in (self.production, self.dev):
            execute(server, "CHECKPOINT")
        os.sync()
        fill_memory(self.base / f"cached-{len(list(self.base.glob('cached-*')))}")

    def part(self, name: str, start: float) -> float:
        now = time.perf_counter()
        print(f"  {name:43}{now - start:10.3f} s", flush=True)
        return now

    # -- The ways -----------------------------------------------------------------------------------------------------------

    def runbook(self, place: Path) -> None:
        """pg_dump in plain SQL, a copy of the file, createdb, psql."""
        start = time.perf_counter()
        conninfo = self.production.conninfo(SOURCE, "bench")
        subprocess.run(self.production.tool("pg_dump", f"--dbname={conninfo}", f"--file={place}/dump.sql"), check=True)
        start = self.part("pg_dump", start)
        self.fetch(f"{place}/dump.sql", f"{place}/arrived.sql")
        start = self.part("scp", start)
        name = f"bench_{place.name.replace('-', '_')}"
        execute(self.dev, f'CREATE DATABASE "{name}" TEMPLATE template0')
        restore = ["psql", "--no-psqlrc", "--quiet", f"--file={place}/arrived.sql", f"--dbname={self.dev.conninfo(name, 'bench')}"]
        subprocess.run(self.dev.tool(*restore), check=True, stdout=subprocess.DEVNULL)
        self.part("psql", start)

    def order(self, place: Path, server: Server | None) -> tuple[copying.Order, WorkDirectory]:
        """What to make, and production's work directory."""
        now = utc_now()
        marker = Marker(new_id(), f"bench/{SOURCE}", format_time(now), format_time(now + datetime.timedelta(days=1)))
        there, here = (WorkDirectory.at(str(place / "work"), marker.id, side) for side in ("production", "dev"))
        there.create(marker)
        here.create(marker)
        wish = Wish(bin_dir=self.production.bin_dir, directory=str(place / "server"))
        (place / "server").mkdir(mode=0o711, parents=True)
        name = f"bench_{marker.id[-6:]}"
        return copying.Order(name, marker, here, server, wish, jobs=2, deadline_s=DEADLINE_S), there

    def fetch(self, source: str, target: str) -> None:
        subprocess.run([*self.scp, f"127.0.0.1:{source}", target], check=True)

    def carry(self, there: WorkDirectory, order: copying.Order) -> str:
        arrived = order.work.file("transfer.tar")
        self.fetch(there.file(backup.ARCHIVE), arrived)
        os.unlink(there.file(backup.ARCHIVE))
        return arrived

    def dumped(self, place: Path, server: Server | None) -> Copied:
        order, there = self.order(place, server)
        start = time.perf_counter()
        # As preflight chooses where the copy's server is of production's version.
        form = row_files.Form(row_files.choose(row_files.programs(), row_files.programs()), self.major)
        backup.take_backup(self.production, SOURCE, order.marker.id, there, backup.Limits(), row_form=form)
        start = self.part("backup", start)
        arrived = self.carry(there, order)
        start = self.part("scp", start)
        manifest = backup.unpack(order.work, arrived, files.sha256(there.file(backup.MANIFEST)))
        start = self.part("unpack", start)
        made = equal(copying.from_dump(order, manifest))
        self.part("copy made", start)
        return order, made

    def again(self, place: Path) -> None:
        """The first run's backup to restore, a template of its copy, and the second run's copy of that."""
        order, _made = self.dumped(place, self.dev)
        kept = kept_template.keep(self.dev, order.database, order.marker, DEADLINE_S)
        manifest = files.read_json(order.work.file(backup.MANIFEST))
        counted = {"tables": len(manifest["rows"]), "rows": sum(manifest["rows"].values())}
        told = {**counted, "differences": [], "stopped": [], "missing_roles": [], "proved_by": "counts"}
        known = {**kept, "copy": told, "revisions": {}, "production_version_num": kept["server_version_num"]}
        second = Marker(new_id(), order.marker.source, order.marker.created, order.marker.expires)
        self.settle()
        start = time.perf_counter()
        kept_template.make_copy(self.dev, f"bench_again_{second.id[-6:]}", second, manifest, known, DEADLINE_S)
        self.took(AGAIN, time.perf_counter() - start)

    def again_own(self, place: Path) -> None:
        """The same in a server of the copy's own, of which the files are kept; then once more without what the last rehearsal has left."""
        first, _there = self.order(place, None)
        manifest = basebackup.manifest_of(self.production, SOURCE, first.marker.id, backup.Limits())
        made = copying.from_basebackup(first, manifest, "", self.production)
        own = ephemeral.load(first.work)
        assert own is not None
        kept = kept_server.keep(own, first.database, first.marker, DEADLINE_S)
        self.until_migrated((first, made))
        with Session(own.server, first.database, "bench", deadline_s=DEADLINE_S) as session:
            print(f"  then {touch(session):.1%} of the bytes are touched", flush=True)
        clean_up.clean_up(None, first.database, first.marker.id, first.work, clean_up.KEEP_TEMPLATE, DEADLINE_S)
        for name, left in ((AGAIN_OWN, True), (AGAIN_ANEW, False)):
            order, _there = self.order(place / str(left), None)
            if not left:
                shutil.rmtree(os.path.join(kept["directory"], spare_copy.SPARE))
            assert spare_copy.there_is(kept["directory"], str(place)) == left
            self.settle()
            start = time.perf_counter()
            once_more = copying.from_template(order, made.manifest, {**kept, "copy": made.copy})
            self.took(name, time.perf_counter() - start)
            self.until_migrated((order, once_more))
            clean_up.clean_up(None, order.database, order.marker.id, order.work, clean_up.KEEP_NONE, DEADLINE_S)

    def carried(self, place: Path) -> Copied:
        order, there = self.order(place, None)
        start = time.perf_counter()
        manifest = basebackup.take(self.production, SOURCE, order.marker.id, there, backup.Limits())
        start = self.part("backup", start)
        arrived = self.carry(there, order)
        start = self.part("scp", start)
        made = equal(copying.from_basebackup(order, manifest, arrived, None))
        self.part("copy made", start)
        return order, made

    def straight(self, place: Path, server: Server | None) -> Copied:
        """Rows from server to server, as dev pulls them."""
        order, _there = self.order(place, server)
        facts = basebackup.manifest_of(self.production, SOURCE, order.marker.id, backup.Limits())
        return order, equal(copying.from_production(order, facts, self.production, backup.Limits()))

    def pulled(self, place: Path) -> Copied:
        order, _there = self.order(place, None)
        manifest = basebackup.manifest_of(self.production, SOURCE, order.marker.id, backup.Limits())
        return order, equal(copying.from_basebackup(order, manifest, "", self.production))

    def alone(self, place: Path) -> None:
        conninfo = self.production.conninfo("", "bench")
        argv = ["pg_basebackup", f"--pgdata={place}/alone", "--checkpoint=fast", "--wal-method=stream", f"--dbname={conninfo}"]
        subprocess.run(self.production.tool(*argv), check=True)

    def pgcopydb(self, place: Path) -> None:
        """Straight into an empty database of a server that is made for it, with the same settings as ours while it is filled."""
        order, _there = self.order(place, None)
        with Session(self.production, SOURCE, "bench") as session:
            manifest = {
                "server": backup.server_settings.read(session),
                "server_version_num": session.value("SELECT current_setting('server_version_num')::int AS v"),
            }
        own, _failures = copying._own_server(order, manifest)
        with Session(own.server, "postgres", "bench") as session:
            session.execute("CREATE DATABASE copied TEMPLATE template0")
        argv = ["pgcopydb", "clone", "--table-jobs", "2", "--index-jobs", "2", "--dir", f"{place}/pgcopydb"]
        between = ["--source", self.production.conninfo(SOURCE, "bench"), "--target", own.server.conninfo("copied", "bench")]
        environment = {**os.environ, "PATH": f"{self.production.bin_dir}:{os.environ['PATH']}"}
        subprocess.run([*argv, *between], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def reached_by_scp(place: Path) -> Iterator[list[str]]:
    """scp from this machine, with nothing of its user's configuration: a program and its options."""
    try:
        sshd.require()
    except sshd.Missing as missing:
        sys.exit(f"{missing}: the files of the runbook and of a dump go over it")
    (place / "sshd").mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key")], check=True)
    shutil.copyfile(place / "key.pub", place / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = sshd.start(place / "sshd", port, place, [getpass.getuser()], {"LANG": "C"})
    try:
        options = ["-o", f"UserKnownHostsFile={place}/known_hosts", "-o", "BatchMode=yes", "-i", f"{place}/key", "-P", str(port)]
        yield ["scp", "-q", "-F", "/dev/null", *options]
    finally:
        sshd.stop(server)


def reached(cluster: embedded.Cluster) -> Server:
    return Server(bin_dir=str(cluster.server_bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)


def execute(server: Server, statement: str) -> None:
    with Session(server, "postgres", "bench", deadline_s=DEADLINE_S) as session:
        session.execute(statement)


def equal(made: copying.Made) -> copying.Made:
    assert made.copy["differences"] == [], made.copy["differences"]
    return made


def fill_memory(path: Path) -> None:
    """Have (nearly) all memory that is free hold a file of nothing, which gives way to whatever needs room.

    Where a virtual machine gets its memory from the host page by page, writing to a page for the first time costs several times as much as to one
    that was used before, and pages that were free for some seconds are given back: ways would be told apart by that.
    """
    free = next(int(line.split()[1]) << 10 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemFree:"))
    path.touch()
    os.truncate(path, max(free - LEFT_FREE, 0))
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def memory() -> float:
    """Peak of this process in MB; not of what it has started, of which a copy's own server is one. Linux counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_round(bench: Bench, ways: Collection[str]) -> None:
    """Every way once: a machine that is slower for some minutes is so for all of them."""
    if "runbook" in ways:
        bench.measure(RUNBOOK, bench.runbook)
    if "existing" in ways:
        bench.measure(EXISTING, lambda place: bench.dumped(place, bench.dev))
    if "ephemeral" in ways:
        bench.measure(EPHEMERAL, lambda place: bench.dumped(place, None))
    if "straight" in ways:
        bench.measure(PULLED_EXISTING, lambda place: bench.straight(place, bench.dev))
        bench.measure(PULLED_EPHEMERAL, lambda place: bench.straight(place, None))
    if "physical" in ways:
        bench.measure(ALONE, bench.alone)
        bench.measure(PULLED, bench.pulled)
        bench.measure(PHYSICAL, bench.carried)
    if "again" in ways:
        with bench.place() as place:
            bench.again(place)
        with bench.place() as place:
            bench.again_own(place)
    if "pgcopydb" in ways and shutil.which("pgcopydb"):
        bench.measure(PGCOPYDB, bench.pgcopydb)
    elif "pgcopydb" in ways:
        print("pgcopydb is not installed: not measured")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3_800_000, help="rows of the big table (default %(default)s)")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument(
        "--ways", default="runbook,existing,ephemeral,straight,physical,again,pgcopydb", help="which to measure (default %(default)s)"
    )
    parser.add_argument("--bin-dir", help="programs of PostgreSQL (default: the newest that the embedded demonstration finds)")
    options = parser.parse_args()
    ways = options.ways.split(",")
    # The servers go with us, also when somebody else ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench-") as work, reached_by_scp(Path(work) / "ssh") as scp:
        Path(work).chmod(0o711)
        programs = embedded.find_binaries(options.bin_dir)
        clusters = [embedded.start_cluster(Path(work) / side, programs, settings=STOCK) for side in ("production", "dev")]
        bench = Bench(reached(clusters[0]), reached(clusters[1]), Path(work), options, scp)
        try:
            print(f"PostgreSQL {clusters[0].major}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
            execute(bench.production, f"CREATE DATABASE {SOURCE} TEMPLATE template0")
            with Session(bench.production, SOURCE, "bench", deadline_s=DEADLINE_S) as session:
                start = time.perf_counter()
                fill(session, options.rows)
                size = session.value("SELECT pg_database_size(current_database()) AS v") / 1e6
                print(f"{size:,.0f} MB, filled in {time.perf_counter() - start:.0f} s", flush=True)
            for _round in range(options.times):
                one_round(bench, ways)
            print(f"\nmedians of {options.times}:")
            bench.medians()
            bench.say("memory (MB)", memory(), "MB")
            for name in LIMITS:
                if " / " in name:
                    bench.ratio(*name.split(" / "))
            for other, under in ((EPHEMERAL, RUNBOOK), (PHYSICAL, RUNBOOK), (AGAIN_ANEW, EXISTING)):
                bench.ratio(other, under)
        finally:
            bench.remove()
            for cluster in clusters:
                embedded.remove_cluster(cluster)
    passed = {name: value for name, value in bench.figures.items() if name in LIMITS and value > LIMITS[name]}
    if options.rows >= ROWS_FOR_LIMITS and passed:
        print(json.dumps({"passed": passed}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
