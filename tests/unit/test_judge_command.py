"""Judging kept evidence offline: the same bytes, and never a green verdict or a traceback from evidence that is not whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file
from evidence_builder import fingerprint, good, shifts, snapshot
from snapshot_builder import column, foreign_key, index, table

from migration_rehearsal import cli, expectations_command


def write(evidence: Evidence, place: Path) -> Path:
    """The evidence as files, as a rehearsal leaves them."""
    place.mkdir(parents=True)

    def document(name: str, content: Any) -> None:
        if content is not None:
            # As files.write_json does, without waiting for the disk.
            (place / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n")

    def lines(name: str, content: list[Any]) -> None:
        (place / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in content))

    document("context", {**evidence.context, "expectations_file": "e.yml", "policy_file": "p.yml"})
    document("expectations", evidence.expectations.to_json())
    document("policy", evidence.policy.to_json())
    lines("stages", evidence.stages)
    for name in ("manifest", "copy", "application"):
        document(name, getattr(evidence, name))
    for part, name in (("snapshots", "snapshot"), ("fingerprints", "fingerprint"), ("checks", "checks"), ("rows", "rows"), ("cleanup", "cleanup")):
        for key, content in getattr(evidence, part).items():
            document(f"{name}-{key}", content)
    for run, events in evidence.migrations.items():
        lines(f"migration-{run}", events)
    return place


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return write(good(), tmp_path / "rehearsal" / "evidence")


NAMES = sorted(
    ["context.json", "expectations.json", "policy.json", "stages.jsonl", "manifest.json", "copy.json", "application.json",
     "checks-after.json", "checks-back.json",
     "cleanup-dev.json", "cleanup-production.json"]
    + [f"{kind}-{moment}.json" for kind in ("snapshot", "fingerprint") for moment in ("before", "after", "back", "again")]
    + [f"migration-{run}.jsonl" for run in ("upgrade", "downgrade", "again")]
)  # fmt: skip


def test_the_same_evidence_gives_the_same_bytes(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(path.name for path in kept.iterdir()) == NAMES
    for name, directory in (("one", kept), ("two", kept.parent)):
        assert cli.main(["judge", str(directory), "--output", str(tmp_path / name)]) == 0
    assert capsys.readouterr().out.startswith("GO  prod1/shop")
    for name in ("record.json", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_without_output_nothing_is_written(kept: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["judge", str(kept)]) == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone_is_never_green(kept: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (kept / name).unlink()
    code = cli.main(["judge", str(kept)])
    said = capsys.readouterr()
    if name == "context.json":
        assert code == 2
        assert "has no context.json" in said.err
    else:
        assert code == 3, said.out
        assert said.out.startswith("INCOMPLETE")


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_never_green_and_never_a_traceback(kept: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (b"", b"{", b'{"a": "\xff', b"[1]", b"{}", b"null"):
        (kept / name).write_bytes(content)
        code = cli.main(["judge", str(kept)])
        error = capsys.readouterr().err
        if name in ("expectations.json", "policy.json") and content == b"{}":
            assert code == 0, "a file that says nothing"
            continue
        assert code in (2, 3), content
        assert code == 3 or error.startswith("rehearse: ")
        if content == b"{" and name.endswith(".json"):
            assert f"{name} is damaged" in error


@pytest.mark.parametrize("run", ["upgrade", "downgrade", "again"])
def test_a_timeline_that_was_cut_short_is_never_green(kept: Path, run: str) -> None:
    path = kept / f"migration-{run}.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert cli.main(["judge", str(kept)]) == 3


def test_other_expectations_and_another_policy_can_be_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = good(fingerprints={**good().fingerprints, "back": fingerprint(rate="77")})
    kept = write(evidence, tmp_path / "evidence")
    policy, expectations = tmp_path / "p.yml", tmp_path / "e.yml"
    policy.write_text("severities: {downgrade-loses-data: blocker}")
    expectations.write_text("revision: c3")
    assert cli.main(["judge", str(kept)]) == 0
    assert cli.main(["judge", str(kept), "--policy", str(policy)]) == 1
    capsys.readouterr()
    assert cli.main(["judge", str(kept), "--expectations", str(expectations)]) == 1
    assert "BLOCKER revision-not-reached" in capsys.readouterr().out
    policy.write_text("severities: {x: blocker}")
    assert cli.main(["judge", str(kept), "--policy", str(policy)]) == 2
    assert f'{policy}:1: "x" is no code' in capsys.readouterr().err
    assert cli.main(["judge", str(kept), "--expectations", str(tmp_path / "none.yml")]) == 2
    (kept / "policy.json").unlink()
    policy.write_text("budgets: {}")
    assert cli.main(["judge", str(kept), "--policy", str(policy)]) == 0, "nothing is missing any more"


def test_what_is_no_evidence_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(tmp_path / "none")]) == 2
    assert cli.main(["judge", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "none in rehearsals, and no directory of that name" in error
    assert "has no context.json" in error


@pytest.mark.parametrize(("format_", "start"), [("md", "# GO: prod1/shop"), ("text", "GO  prod1/shop"), ("json", "{")])
def test_a_record_is_rendered(kept: Path, tmp_path: Path, format_: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["judge", str(kept), "--output", str(tmp_path / "out")])
    capsys.readouterr()
    assert cli.main(["report", str(tmp_path / "out" / "record.json"), "--format", format_]) == 0
    text = capsys.readouterr().out
    assert text.startswith(start)
    if format_ == "json":
        assert text == (tmp_path / "out" / "record.json").read_text()
    if format_ == "md":
        assert text == (tmp_path / "out" / "report.md").read_text()


def test_what_is_no_record_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "record.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "broken.json"):
        assert cli.main(["report", str(path)]) == 2
    assert capsys.readouterr().err.count("rehearse: ") == 3


def busy(expectations: Expectations | None = None) -> Evidence:
    """An upgrade that adds, changes and drops a bit of everything; the way back brings all of it back."""
    users = table("users", {"id": column(nullable=False)})
    old = shifts(user_id=column("integer"), code=column("text"), odd=column("text"))
    old["indexes"]["ix_code"] = index("shifts", "code")
    new = shifts(user_id=column("integer"), note=column("text", default="'no'::text", nullable=False), code=column("character varying(5)"),
                 on=column("boolean", default="true"), n=column("integer", default="'-5'::integer"),
                 at=column("timestamptz", default="now()"))  # fmt: skip
    new["indexes"]["ix_note"] = index("shifts", "note")
    new["constraints"]["fk_user"] = foreign_key("user_id", "users", "cascade")
    made = table("billing.lines", {"id": column(nullable=False), "User": column("text", default="'it''s: #1'::text")}, schema="billing")
    gone = table("old", {"id": column(nullable=False)})
    before, after = snapshot(users, old, gone), snapshot(users, new)
    after["tables"]["billing.lines"] = made
    prints = {"before": fingerprint(odd="4", code="8"), "after": fingerprint(note="0", code="9", rate="55")}
    prints["before"]["tables"]["old"] = {**fingerprint()["tables"]["shifts"], "rows": 5}
    return good(
        expectations, snapshots={"before": before, "after": after, "back": before, "again": after},
        fingerprints={**prints, "back": prints["before"], "again": prints["after"]},
    )  # fmt: skip


def test_expectations_are_written_from_what_happened_and_are_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = write(busy(), tmp_path / "evidence")
    assert cli.main(["judge", str(kept)]) == 1, "undeclared changes of data"
    file = tmp_path / "expectations.yml"
    assert cli.main(["expectations", "init", str(kept), "--output", str(file)]) == 0
    found = expectations_file.load(str(file))
    assert found.revision == ("b2",)
    assert set(found.after_upgrade.tables) == {"shifts", "billing.lines"}
    columns = found.after_upgrade.tables["shifts"].columns
    assert set(columns) == {"note", "code", "on", "n", "at"}
    assert (columns["note"].type, columns["note"].nullable, columns["note"].default) == ("text", False, "no")
    assert (columns["on"].default, columns["at"].default) == (True, "now()")
    assert found.after_upgrade.tables["billing.lines"].columns["User"].default == "it's: #1"
    assert found.after_upgrade.tables["shifts"].indexes == ("ix_note",)
    assert found.after_upgrade.tables["shifts"].foreign_keys == ("fk_user",)
    assert found.after_upgrade.absent.tables == ("old",)
    assert found.after_upgrade.absent.columns == {"shifts": ("odd",)}
    assert found.after_upgrade.absent.indexes == {"shifts": ("ix_code",)}
    assert found.after_downgrade.absent.columns == {"shifts": ("at", "n", "note", "on")}
    assert set(found.after_downgrade.tables) == {"old", "shifts"}
    assert {name: change.kind for name, change in found.changes.items()} == {
        "old": "dropped", "shifts.odd": "dropped", "shifts.rate": "changed", "shifts.code": "changed",
    }  # fmt: skip
    capsys.readouterr()
    assert cli.main(["judge", str(kept), "--expectations", str(file), "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert len(record["expectations"]) > 15
    assert all(check["ok"] for check in record["expectations"])


def test_a_file_that_is_there_is_not_written_over(kept: Path, tmp_path: Path) -> None:
    file = tmp_path / "e.yml"
    file.write_text("mine")
    assert cli.main(["expectations", "init", str(kept), "--output", str(file)]) == 2
    assert file.read_text() == "mine"


def test_what_the_user_had_declared_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
changes:
  old: {dropped: true, reason: "nobody's: # of 2019"}
  shifts.odd: {dropped: true}
  shifts.rate: {changed: true}
  shifts.code: {changed: true}
assertions:
  - {name: "note: text", query: after.tables.shifts.columns.note.type, equals: text}
"""
    expectations = expectations_file.parse(text, "e.yml")
    kept = write(busy(expectations), tmp_path / "evidence")
    assert cli.main(["expectations", "init", str(kept)]) == 0
    found = expectations_file.parse(capsys.readouterr().out, "printed")
    assert (found.changes, found.assertions) == (expectations.changes, expectations.assertions)


@pytest.mark.parametrize("counted", [True, False])
def test_rows_added_and_rows_lost_are_both_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: bool) -> None:
    after = fingerprint(4, note="0")
    after["tables"]["shifts"]["old_rows"] = 1
    followed = {"key": ["id"], "kept": 1, "added": 3, "lost": 2, "columns": {"rate": 0}}
    evidence = good(rows={"after": {"tables": {"shifts": followed}}} if counted else {})
    evidence = dataclasses.replace(evidence, fingerprints={**evidence.fingerprints, "after": after, "again": after})
    kept = write(evidence, tmp_path / "evidence")
    assert cli.main(["expectations", "init", str(kept)]) == 0
    found = expectations_file.parse(capsys.readouterr().out, "printed").changes["shifts"].rows
    assert found is not None
    assert (found.added, found.removed) == ((3, 2) if counted else (None, None))


def test_what_was_only_likely_stands_in_a_comment(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prints = {**good().fingerprints, "after": fingerprint(note="0")}
    prints["after"]["tables"]["shifts"]["columns"]["note"]["non_null"] = 0
    files.write_json(str(kept / "fingerprint-after.json"), prints["after"])
    assert cli.main(["expectations", "init", str(kept)]) == 0
    text = capsys.readouterr().out
    assert '# likely, not measured yet: existing_rows: {"note": null}' in text
    assert yaml.safe_load(text)["after_upgrade"]["tables"]["shifts"].keys() == {"columns"}


def test_what_the_way_back_left_is_not_expected_to_be_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = good()
    left = dataclasses.replace(evidence, snapshots={**evidence.snapshots, "back": evidence.snapshots["after"]})
    assert cli.main(["expectations", "init", str(write(left, tmp_path / "evidence"))]) == 0
    assert "after_downgrade" not in capsys.readouterr().out


def test_a_rehearsal_that_did_not_come_far_enough_has_nothing_to_expect(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kept / "fingerprint-after.json").unlink()
    assert cli.main(["expectations", "init", str(kept)]) == 2
    assert "did not come as far" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "is_table"),
    [
        ("shifts.remark: {was: note, expect: upper(old), reason: tidy}", False),
        ("billing.lines.remark: {was: note}", False),
        ("billing.people: {was: public.users}", True),
        ("people: {was: public.users, rows: {added: 1}}", True),
    ],
)
def test_what_was_told_of_copies_is_written_as_it_was(text: str, is_table: bool) -> None:
    ((name, change),) = expectations_file.parse(f"changes: {{{text}}}", "e.yml").changes.items()
    again = ": ".join(expectations_command._declared(name, change, is_table))
    assert dict(expectations_file.parse(f"changes: {{{again}}}", "printed").changes) == {name: change}
