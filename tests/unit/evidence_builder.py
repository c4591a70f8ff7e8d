"""The evidence of a small rehearsal in which all went well; tests spoil one thing at a time."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file
from snapshot_builder import EMPTY, column, table

ID = "20261122-223011-9f3a2c"


def snapshot(*tables: dict[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(EMPTY), "tables": {one["name"]: one for one in tables}}


def shifts(**columns: dict[str, Any]) -> dict[str, Any]:
    return table("shifts", {"id": column(nullable=False), "rate": column("integer"), **columns})


def fingerprint(rows: int = 3, **columns: str) -> dict[str, Any]:
    """Of table shifts; a column is given by its hash."""
    found = {name: {"by": "int", "type": "integer", "hash": hash_, "non_null": rows} for name, hash_ in {"id": "1", "rate": "2", **columns}.items()}
    entry = {"rows": rows, "key": ["id"], "columns": found, "proof": "full", "old_rows": rows, "files": []}
    return {"proof": "full", "server_version_num": 160004, "mark": "1", "left_out": {}, "tables": {"shifts": entry}}


def revision(run: str) -> list[dict[str, Any]]:
    direction = "downgrade" if run == "downgrade" else "upgrade"
    common = {"revision": "b2", "direction": direction, "message": "Add a column"}
    return [
        {"event": "revision_begin", "t": 1.0, **common},
        {"event": "statement", "t": 2.6, "t0": 2.0, "t1": 2.5, "revision": "b2", "sql": "ALTER TABLE shifts ADD COLUMN note text", "connection": 1,
         "rows": None, "autocommit": False, "locks": [{"relation": "shifts", "mode": "AccessExclusive", "table": "shifts", "kind": "r"}],
         "lock_timeout": "0", "wal": 1000},
        {"event": "revision_end", "t": 3.0, "ms": 2.0, **common},
        {"event": "commit", "t": 3.5, "t0": 3.2, "t1": 3.5, "revision": None, "connection": 1},
        {"event": "done", "t": 4.0, "heads": ["a1"] if direction == "downgrade" else ["b2"]},
    ]  # fmt: skip


def stage(name: str, host: str = "dev1", status: str = "ok", **more: Any) -> dict[str, Any]:
    return {"name": name, "host": host, "status": status, "started_at": "2026-11-22T22:30:20Z", "seconds": 2.0, **more}


FACTS: dict[str, Any] = {
    "server_version": "16.4", "server_version_num": 160004, "encoding": "UTF8", "collate": "C.UTF-8", "ctype": "C.UTF-8", "locale_provider": "c",
    "locale": None, "time_zone": "Europe/Moscow", "size_bytes": 8000000, "owner": "app", "extensions": {"plpgsql": "1.0"}, "settings": {},
    "roles": [], "revisions": {"alembic_version": ["a1"]}, "system_identifier": "1",
}  # fmt: skip


def good(expectations: Expectations | None = None, **replaced: Any) -> Evidence:
    """Revision b2 adds column note to table shifts, and takes it away again."""
    before, after = snapshot(shifts()), snapshot(shifts(note=column("text")))
    evidence = Evidence(
        context={
            "id": ID, "production_host": "prod1", "dev_host": "dev1", "database": "shop", "copy_database": "rehearsal_x", "keep": "none",
            "created": "2026-11-22T22:30:11Z", "expires": "2026-11-23T22:30:11Z", "expectations_file": "",
            "application": {"command": ["python"], "chdir": "/opt/app", "config": "alembic.ini", "environment": ["DATABASE_URL"], "x": []},
        },
        stages=[stage(name) for name in ("preflight", "backup", "transfer", "restore", "upgrade", "structure", "data", "downgrade", "cleanup")],
        expectations=expectations or Expectations(),
        preflight={},
        manifest={**FACTS, "database": "shop", "rows": {"shifts": 3, "alembic_version": 1}, "files": {"dump": {"bytes": 10, "sha256": ""}},
                  "taken_at": "2026-11-22T22:30:12Z"},
        copy={"database": "rehearsal_x", "marker": {"id": ID}, "facts": FACTS, "tables": 2, "rows": 4, "differences": [],
              "settings_not_replayed": [], "missing_roles": []},
        application={"heads": ["b2"], "current": ["a1"], "pending": [{"revision": "b2"}], "python": "3.11.7", "alembic": "1.20.1"},
        snapshots={"before": before, "after": after, "back": copy.deepcopy(before), "again": copy.deepcopy(after)},
        fingerprints={
            "before": fingerprint(), "after": fingerprint(note="0"), "back": fingerprint(), "again": fingerprint(note="0"),
        },
        checks=dict.fromkeys(("after", "back"), {"orphans": [{"constraint": "fk", "table": "shifts", "rows": 0}], "existing_rows": []}),
        migrations={run: revision(run) for run in ("upgrade", "downgrade", "again")},
        cleanup=dict.fromkeys(
            ("dev", "production"), {"copy": "dropped", "work_directory": "removed", "removed": ["x"], "left": [], "problems": []}
        ),
    )  # fmt: skip
    return dataclasses.replace(evidence, **replaced)


def spoil(evidence: Evidence, part: str, key: str, value: Any) -> Evidence:
    """Replace one document of a part; None removes it."""
    documents = dict(getattr(evidence, part))
    documents.pop(key, None)
    if value is not None:
        documents[key] = value
    return dataclasses.replace(evidence, **{part: documents})


def expecting(text: str) -> Expectations:
    return expectations_file.parse(text, "expectations.yml")


def codes(record: dict[str, Any], *severities: str) -> list[str]:
    """Those of the findings, or of the findings of these severities."""
    return [one["code"] for one in record["findings"] if not severities or one["severity"] in severities]
