"""The evidence of a real rehearsal, judged again without its database: same bytes, other policy, and expectations written from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE / "gallery")])

from stand import Case, Stand, _Run  # noqa: E402

pytestmark = pytest.mark.integration

CASE = Case(
    "offline",
    up="ALTER TABLE users ADD COLUMN nick varchar(20) NOT NULL DEFAULT 'none';\n"
    "ALTER TABLE users ADD CONSTRAINT users_nick CHECK (nick <> '');\n"
    "ALTER TABLE contracts ALTER hourly_rate TYPE numeric(10, 2) USING hourly_rate / 100.0;\n"
    "CREATE TABLE visits (id bigint PRIMARY KEY, user_id bigint REFERENCES users, at timestamptz NOT NULL DEFAULT now());\n"
    "CREATE INDEX ix_visits_user ON visits (user_id)",
    down="DROP TABLE visits;\n"
    "ALTER TABLE contracts ALTER hourly_rate TYPE integer USING (hourly_rate * 100)::integer;\n"
    "ALTER TABLE users DROP COLUMN nick",
    more=(
        (
            "m2",
            "m1",
            "ALTER TABLE old_tariffs ADD COLUMN code text;\nUPDATE old_tariffs SET code = 'T' || id;\nCREATE INDEX ix_tariffs ON old_tariffs (code)",
            "ALTER TABLE old_tariffs DROP COLUMN code",
        ),
    ),
)


@pytest.fixture(scope="module")
def kept(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Evidence of a rehearsal whose databases are gone."""
    stand = Stand(postgres_server, tmp_path_factory.mktemp("offline"))
    try:
        run = _Run(stand, CASE)
        try:
            run.go()
        finally:
            postgres_server.drop_database(run.copy)
    finally:
        stand.close()
    yield Path(run.work.evidence)


def rehearse(*words: object, seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    argv = [sys.executable, "-c", "import sys; from migration_rehearsal.cli import main; sys.exit(main())", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)


def record(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "record.json").read_text(encoding="utf-8"))
    return found


def test_the_same_evidence_gives_the_same_bytes_in_another_process(kept: Path, tmp_path: Path) -> None:
    first = rehearse("judge", kept, "--output", tmp_path / "one", seed="1")
    second = rehearse("judge", kept, "--output", tmp_path / "two", seed="2")
    assert (first.returncode, first.stderr) == (1, ""), "hourly_rate was changed and nobody declared it"
    assert second.returncode == 1
    assert (tmp_path / "one" / "record.json").read_bytes() == (tmp_path / "two" / "record.json").read_bytes()
    assert (tmp_path / "one" / "report.md").read_bytes() == (tmp_path / "two" / "report.md").read_bytes()
    assert rehearse("report", tmp_path / "one", "--format", "md").stdout == (tmp_path / "one" / "report.md").read_text(encoding="utf-8")


def test_the_record_holds_what_was_locked_and_what_the_way_back_costs(kept: Path, tmp_path: Path) -> None:
    rehearse("judge", kept, "--output", tmp_path)
    found = record(tmp_path)
    rows = {row["revision"]: row for row in found["revisions"] if row["run"] == "upgrade"}
    assert rows["m1"]["locks"]["users"] == rows["m1"]["locks"]["contracts"] == "AccessExclusive"
    assert rows["m1"]["rewrites"] == [{"relation": "contracts", "kind": "table", "reason": "type"}]
    assert rows["m2"]["locks"] == {"old_tariffs": "AccessExclusive"}
    assert rows["m2"]["blocked_reads_ms"] > 0
    assert 0 < found["longest_window"]["ms"] <= found["downtime_ms"]
    waiting = {entry["table"]: entry for entry in found["timelines"]["upgrade"]["tables"]}
    assert waiting["users"]["reads"]["took"] == ["m1"]
    assert waiting["users"]["reads"]["kept"] == ["m2"]
    assert waiting["users"]["reads"]["other_mode_ms"] < waiting["users"]["reads"]["longest_ms"]
    back = found["way_back"]
    assert back["downgrade_seconds"] > 0
    brought = {entry["object"] for entry in back["goes_with_it"]}
    assert brought == {"users.nick", "visits", "old_tariffs.code"}


def test_another_policy_can_be_tried_on_it(kept: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text("budgets: {blocked_reads_ms: 0, small_table_rows: 0, small_table_mb: 0}")
    rehearse("judge", kept, "--policy", policy, "--output", tmp_path)
    said = {(one["code"], one["object"]): one["message"] for one in record(tmp_path)["findings"] if one["stage"] == "upgrade"}
    assert "taken by revision m1 with «ALTER TABLE users ADD COLUMN nick" in said["lock-blocks-reads", "users"]
    assert "reason: type" in said["table-rewrite", "contracts"]
    assert "without a lock_timeout" in said["no-lock-timeout", ""]
    assert "under AccessExclusiveLock by revision m1: «ALTER TABLE users ADD CONSTRAINT" in said["scan-under-lock", "users"]


def test_expectations_written_from_it_are_met_by_it(kept: Path, tmp_path: Path) -> None:
    file = tmp_path / "expectations.yml"
    assert rehearse("expectations", "init", kept, "--output", file).returncode == 0
    judged = rehearse("judge", kept, "--expectations", file, "--output", tmp_path)
    assert judged.returncode == 0, f"{judged.stdout}\n{file.read_text()}"
    checks = record(tmp_path)["expectations"]
    assert len(checks) >= 10
    assert all(check["ok"] for check in checks)


def test_evidence_that_is_not_whole_is_never_green(kept: Path, tmp_path: Path) -> None:
    place = tmp_path / "evidence"
    place.mkdir()
    for path in kept.iterdir():
        if path.is_file() and path.name != "snapshot-again.json":
            (place / path.name).write_bytes(path.read_bytes())
    file = tmp_path / "expectations.yml"
    assert rehearse("expectations", "init", kept, "--output", file).returncode == 0
    cut = rehearse("judge", place, "--expectations", file)
    assert (cut.returncode, cut.stdout.split()[0]) == (3, "INCOMPLETE")
    (place / "manifest.json").write_bytes((kept / "manifest.json").read_bytes()[:-20])
    damaged = rehearse("judge", place)
    assert damaged.returncode == 2
    assert f"{place}/manifest.json is damaged" in damaged.stderr
    assert "Traceback" not in damaged.stderr
