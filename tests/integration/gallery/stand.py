"""One rehearsal without Ansible: a copy of a small production, a project of a few revisions, the evidence, and the judge's record."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import written_records
from agent_project import Project
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    application,
    backup,
    data_diff,
    database_facts,
    drift,
    evidence,
    evidence_files,
    files,
    identity,
    migration_findings,
    side_database,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import PRODUCTION, Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets, Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.stairway import Stairway
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file, policy_file, squawk
from evidence_documents import Documents, nothing

PRODUCTION_DATABASE = "gallery"
ROLE = "gallery_reader"
BASE = "a0"
# Names a directory in which the evidence of every case is to be kept (tests/mutation), where it shall outlive the stand.
KEEP = "GALLERY_EVIDENCE"
_SOURCE = "prod/gallery"
_WARM_PYTHON = str(Path(__file__).parent / "warm_python.py")
# On a busy machine any lock is held long.
_CALM = Policy(budgets=Budgets(blocked_reads_ms=60000, blocked_writes_ms=60000, index_build_ms=60000))
_numbers = itertools.count(1)
_OF_ROWS = frozenset(["data-changed", "data-not-compared", "rows-changed", "downgrade-loses-data"])

Object = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Case:
    """One project on top of production, and what its rehearsal must say.

    `up`, `down`: SQL, one statement for each ";" at a line's end; or Python, if it uses `op.` or is marked by a first line "# python".
    `findings`: code and object of every blocker and warning, no more and no less. `infos`: those of severity info that must be among the rest.
    `production`: SQL that production has seen before, on top of base.sql. `expectations`, `policy`: text of these files.
    `says`: what the messages must say too. `show_keys`: the keys of changed rows may be shown.
    `asked`: what is measured beside the rest ("models", "drift", "stairway"; "fixed address": an application that drift cannot be measured with;
    "current": where the copy stands, before anything).
    `base`: SQL of production's revision, where it is not what made production.
    `target`: where the upgrade goes (rehearsal_target). `stands`: the revision that production stands on.
    `deadline_s`: how long one run of the application may take.
    `of`, `changes`: no migration of its own, but the evidence of another case, with such changes, and with its own expectations where it has some.
    `exact`: the times that are said are the same in each run; `measured`: all of its times and sizes are written down.
    `more`: further revisions (name, down revision, up, down). `env`: arguments for `Project.env`.
    """

    name: str
    up: str
    down: str = "SELECT 1"
    findings: frozenset[Object] = frozenset()
    verdict: str = "NO-GO"
    infos: frozenset[Object] = frozenset()
    expectations: str = ""
    policy: str = ""
    production: str = ""
    more: tuple[tuple[str, str, str, str], ...] = ()
    env: tuple[tuple[str, Any], ...] = ()
    of: Case | None = None
    changes: Callable[[Documents], None] = nothing
    exact: bool = False
    measured: bool = False
    proof: str = "full"
    show_keys: bool = False
    says: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    base: str = ""
    target: str = "head"
    stands: str = BASE
    deadline_s: float = 60

    def alter(self, original: Path, changed: Path) -> None:
        """Make its evidence of that of another case."""
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(original, changed, copy_function=os.link)
        documents = Documents(changed)
        if self.expectations:
            documents["expectations.json"] = expectations_file.parse(self.expectations, "expectations.yml").to_json()
        self.changes(documents)
        documents.write()

    def judge(self, evidence_directory: str) -> dict[str, Any]:
        """The record of evidence that was gathered for this case, under its policy."""
        found = evidence_files.load(evidence_directory)
        self._look_at_what_was_measured(found)
        policy = policy_file.parse(self.policy, "policy.yml") if self.policy else _CALM
        return judge(found, assertions.evaluate, policy)

    def _look_at_what_was_measured(self, found: Evidence) -> None:
        """By the rules that the judge shares with the host: what was expected, and whose rows were followed one by one."""
        if self.expectations:
            assert expectations_file.parse(self.expectations, "expectations.yml") == found.expectations
        prints, asked = found.fingerprints, found.expectations
        for moment in ("after", "back") if self.of is None else ():
            rows = found.rows.get(moment) or {"tables": {}}
            if not {"before", moment} <= prints.keys() or rows.get("error"):
                continue
            upgraded = moment == "after"
            accepted = [name for name, change in asked.changes.items() if change.kind == "changed" and upgraded]
            declared = asked.declared_expressions() if upgraded else {}
            renames = found.renames("before", moment)
            follow = data_diff.to_follow(prints["before"], prints[moment], declared, accepted, self.show_keys, renames)
            followed = {table: sorted(entry["columns"]) for table, entry in rows["tables"].items()}
            wanted = {table: sorted(columns) for table, columns in follow.items() if table not in evidence_files.version_tables(found)}
            assert followed == wanted, f"{moment}: followed {followed}, to follow {wanted}"

    def differences(self, record: dict[str, Any]) -> str:
        """What is not as documented: other blockers and warnings, another verdict, information that is missing; "" if nothing is."""
        findings = [(finding["severity"], (finding["code"], finding["object"]), finding["message"]) for finding in record["findings"]]
        loud = {key for severity, key, _message in findings if severity != "info"}
        quiet = {key for severity, key, _message in findings if severity == "info"}
        messages = "\n".join([f"{self.name}: {record['verdict']}", *(f"{severity} {key}: {message}" for severity, key, message in findings)])
        documented = (loud, record["verdict"]) == (set(self.findings), self.verdict) and set(self.infos) <= quiet
        unsaid = [fragment for fragment in self.says if fragment not in messages]
        # Changed rows that were not counted would be told so.
        if not documented or unsaid or "could not be measured: there is" in messages:
            return f"{messages}\nnot said: {unsaid}"
        return written_records.differences(self, record)

    @property
    def slug(self) -> str:
        return re.sub(r"\W+", "-", f"{self.name} {self.proof}")

    @property
    def head(self) -> str:
        return self.more[-1][0] if self.more else "m1"


class Stand:
    """A server with a production on it; every case gets a copy of its own."""

    def __init__(self, server: Any, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.kept = Path(os.environ.get(KEEP) or directory / "kept")
        server.create_database(PRODUCTION_DATABASE)
        text = (Path(__file__).parent / "base.sql").read_text(encoding="utf-8")
        with Session(server.server, PRODUCTION_DATABASE, "tests") as session:
            session.execute(f"CREATE ROLE {ROLE}")
            for statement in text.split(";\n"):
                if statement.strip():
                    session.execute(statement)
            session.execute("VACUUM ANALYZE")
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.facts = database_facts.read_facts(session)
            self.rows = database_facts.count_rows(session)
            session.execute("COMMIT")
        self.socket = str(directory / "python")
        self._python = subprocess.Popen([sys.executable, _WARM_PYTHON, self.socket, "serve"], cwd=directory)
        while not os.path.exists(self.socket):
            assert self._python.poll() is None, "the warm Python has ended"
            time.sleep(0.02)

    def close(self) -> None:
        self._python.kill()
        self._python.wait()
        self.server.drop_database(PRODUCTION_DATABASE)
        with Session(self.server.server, "postgres", "tests") as session:
            session.execute(f"DROP ROLE {ROLE}")

    def rehearse(self, case: Case) -> dict[str, Any]:
        """The record."""
        if case.of is not None:
            if not (self.kept / case.of.slug).is_dir():
                self.rehearse(case.of)
            case.alter(self.kept / case.of.slug, self.kept / case.slug)
            return case.judge(str(self.kept / case.slug))
        run = _Run(self, case)
        try:
            run.go()
            run.lint()
            kept = self.kept / case.slug
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(run.work.evidence, kept)
            shutil.rmtree(run.work.path)
            return case.judge(str(kept))
        finally:
            self.server.drop_database(run.copy)
            side_database.drop_all(self.server.server, run.id, 60)


class _Run:
    def __init__(self, stand: Stand, case: Case) -> None:
        self.stand = stand
        self.case = case
        self.id = identity.new_id()
        number = next(_numbers)
        self.copy = f"gallery_copy_{number}"
        self.directory = stand.directory / str(number)
        now = identity.format_time(identity.utc_now())
        self.marker = Marker(id=self.id, source=_SOURCE, created=now, expires=now)
        self.work = WorkDirectory.at(str(self.directory / "work"), self.id, "dev")
        self.expectations = expectations_file.parse(case.expectations, "expectations.yml") if case.expectations else Expectations()
        self.heads: list[str] = []

    def go(self) -> None:
        """All stages; the first that fails ends it, as in the playbook."""
        self._make_copy()
        self._write_project()
        self._write_context()
        self._dump()
        if "current" in self.case.asked and not self._current() or not self._gather("before"):
            return
        if not self._migrate("upgrade", "upgrade", self.case.target) or not self._gather("after"):
            return
        self._ask()
        wanted = self.expectations.downgrade_to
        if not self._migrate("downgrade", "downgrade", self.case.stands if wanted == PRODUCTION else wanted):
            return
        if self._gather("back") and self._migrate("again", "upgrade", self.case.target) and self._gather("again") and "stairway" in self.case.asked:
            work, server = self.work, self.stand.server.server
            files.write_json(work.file("evidence", "stairway.json"), Stairway(server, self.copy, self.id, work, self.application, False, 60).walk())

    def lint(self) -> None:
        """As the playbook does when it fetches the evidence."""
        timeline = Path(self.work.file("evidence", "migration-upgrade.jsonl"))
        if timeline.exists():
            said = squawk.examine(squawk.AUTO, files.read_json_lines(str(timeline)), self.stand.facts["server_version_num"])
            files.write_json(self.work.file("evidence", squawk.EVIDENCE), said)

    def _make_copy(self) -> None:
        server = self.stand.server
        with Session(server.server, "postgres", "tests") as session:
            session.execute(f"CREATE DATABASE {quote_identifier(self.copy)} TEMPLATE {PRODUCTION_DATABASE}")
            session.execute(f"COMMENT ON DATABASE {quote_identifier(self.copy)} IS {quote_literal(self.marker.to_text())}")
        with Session(server.server, self.copy, "tests") as session:
            for statement in _statements(self.case.production):
                session.execute(statement)
            if self.case.stands != BASE:
                session.execute(f"UPDATE alembic_version SET version_num = {quote_literal(self.case.stands)}")

    def _write_project(self) -> None:
        project = Project(self.directory / "project")
        if self.case.env:
            project.env(**dict(self.case.env))
        project.revision(BASE, _python(self.case.base or _structure_of_production()) if "drift" in self.case.asked else "", down=None)
        project.revision("m1", _python(self.case.up), _python(self.case.down))
        for name, down, upgrade, downgrade in self.case.more:
            project.revision(name, _python(upgrade), _python(downgrade), down=down)
        url = self.stand.server.url(self.copy)
        elsewhere = self.stand.server.url(PRODUCTION_DATABASE)
        self.application = Application(
            command=(sys.executable, "-S", _WARM_PYTHON, self.stand.socket),
            chdir=str(project.directory),
            environment={"DATABASE_URL": url, "OTHER_URL": elsewhere},
            deadline_s=self.case.deadline_s,
        )

    def _write_context(self) -> None:
        self.work.create(self.marker)
        facts, rows = self.stand.facts, self.stand.rows
        marker = dataclasses.asdict(self.marker)
        context = {
            "id": self.id, "production_host": "prod", "dev_host": "dev", "database": PRODUCTION_DATABASE, "copy_database": self.copy, "keep": "none",
            "created": self.marker.created, "expires": self.marker.expires, "expectations_file": "expectations.yml",
            "application": {"command": ["python"], "chdir": "", "config": "alembic.ini", "environment": ["DATABASE_URL"], "x": []},
        }  # fmt: skip
        manifest = {**facts, "database": PRODUCTION_DATABASE, "rows": rows, "files": {}, "taken_at": self.marker.created}
        copy = {
            "database": self.copy, "marker": marker, "facts": facts, "tables": len(rows), "rows": sum(rows.values()), "differences": [],
            "settings_not_replayed": [], "missing_roles": [],
        }  # fmt: skip
        gone = {"copy": "dropped", "work_directory": "removed", "removed": [], "left": [], "problems": []}
        documents = {"context": context, "manifest": manifest, "copy": copy, "expectations": self.expectations.to_json(),
                     "cleanup-dev": gone, "cleanup-production": gone}  # fmt: skip
        for name, document in documents.items():
            files.write_json(self.work.file("evidence", f"{name}.json"), document)

    def _ask(self) -> None:
        if "models" in self.case.asked:
            outcome = application.run(self.application, "check", marker_id=self.id, measured=False)
            assert outcome.succeeded, outcome.error
            compared = [event for event in outcome.events if event["event"] == "models"]
            files.write_json(self.work.file("evidence", "models.json"), {"databases": compared})
        if "drift" in self.case.asked:
            name = self.copy if "fixed address" in self.case.asked else identity.side_database_name(self.id, identity.FROM_EMPTY)
            elsewhere = dataclasses.replace(self.application, environment={"DATABASE_URL": self.stand.server.url(name)})
            found = drift.measure(self.stand.server.server, self.copy, self.id, self.work, elsewhere, [BASE], 60)
            files.write_json(self.work.file("evidence", "drift.json"), found)

    def _dump(self) -> None:
        """The backup, where changed rows will be counted against it; most cases change none."""
        asked = "existing_rows" in self.case.expectations
        if not asked and not any(code in _OF_ROWS for code, _thing in self.case.findings | self.case.infos):
            return
        server = self.stand.server.server
        subprocess.run(
            server.tool("pg_dump", "--format=directory", f"--file={self.work.file(backup.DUMP)}", "--dbname", server.conninfo(self.copy, "tests")),
            check=True,
        )
        files.write_json(self.work.file(backup.MANIFEST), self.stand.facts)

    def _gather(self, moment: str) -> bool:
        what = [evidence.SNAPSHOT, evidence.FINGERPRINT]
        if moment != "again":
            what.append(evidence.CHECKS)
        started = time.monotonic()
        try:
            evidence.gather(
                self.stand.server.server, self.copy, self.id, self.work, moment=moment, what=what, expectations=self.expectations,
                proof=self.case.proof, connections=1, deadline_s=60, show_keys=self.case.show_keys,
            )  # fmt: skip
        except evidence.EvidenceRefused as error:
            return self._stage(f"evidence {moment}", started, error=str(error), findings=error.findings())
        return self._stage(f"evidence {moment}", started)

    def _migrate(self, run: str, direction: str, target: str) -> bool:
        started = time.monotonic()
        outcome = application.run(
            self.application, direction, marker_id=self.id, target=target, events_path=self.work.file("evidence", f"migration-{run}.jsonl"),
            log_path=self.work.file("evidence", "application.log"),
        )  # fmt: skip
        script = outcome.last("script")
        if run == "upgrade" and script:
            files.write_json(self.work.file("evidence", "application.json"), {"heads": script["heads"], "current": [self.case.stands], "pending": []})
        findings = migration_findings.findings_of(outcome, run)
        return self._stage(run, started, error=findings[0]["message"], findings=findings) if findings else self._stage(run, started)

    def _current(self) -> bool:
        started = time.monotonic()
        findings = migration_findings.findings_of(application.run(self.application, "current", marker_id=self.id), "current")
        return self._stage("pending", started, error=findings[0]["message"], findings=findings) if findings else self._stage("pending", started)

    def _stage(self, name: str, started: float, error: str = "", findings: list[dict[str, Any]] | None = None) -> bool:
        line: dict[str, Any] = {
            "name": name, "host": "dev", "status": "failed" if error else "ok", "started_at": self.marker.created,
            "seconds": round(time.monotonic() - started, 3),
        }  # fmt: skip
        if error:
            line.update(error=error, findings=findings or [])
        files.append_json_line(self.work.file("evidence", "stages.jsonl"), line)
        return not error


def _structure_of_production() -> str:
    """base.sql without rows and without Alembic's own table."""
    text = (Path(__file__).parent / "base.sql").read_text(encoding="utf-8")
    return ";\n".join(one for one in text.split(";\n") if not one.startswith(("INSERT", "CREATE TABLE alembic_version")))


def _statements(text: str) -> list[str]:
    return [statement.strip() for statement in text.strip().rstrip(";").split(";\n") if statement.strip()]


def _python(text: str) -> str:
    """The body of a revision's function."""
    if "op." in text or text.lstrip().startswith("# python"):
        return text
    # To a driver a lone % is the beginning of a placeholder.
    return "\n".join(f"op.get_bind().exec_driver_sql({statement.replace('%', '%%')!r})" for statement in _statements(text))
