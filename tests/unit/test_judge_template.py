"""A rehearsal that began with a kept template: what is said of it, and what has changed since it was kept."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import kept_templates
from evidence_builder import good

FIRST = "20261121-101010-0a0b0c"
NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)


def known(**changes: Any) -> dict[str, Any]:
    return {
        "id": FIRST, "database": "rehearsal_x_template", "expires": "2026-11-23T00:00:00Z", "taken_at": "2026-11-21T10:10:12Z",
        "restore_seconds": 73.0, **changes,
    }  # fmt: skip


def again(**changes: Any) -> Evidence:
    evidence = good()
    kept = {"template": known(), "snapshot": evidence.snapshots["before"], "fingerprint": evidence.fingerprints["before"], **changes}
    context = {**evidence.context, "origin": {**(evidence.context.get("origin") or {}), "source": "template"}}
    return dataclasses.replace(evidence, context=context, kept={name: one for name, one in kept.items() if one is not None})


def said(record: dict[str, Any], code: str) -> list[str]:
    return [one["message"] for one in record["findings"] if one["code"] == code]


def test_the_record_tells_of_the_template_and_of_the_age_of_production() -> None:
    record = judge(again())
    assert record["verdict"] == judge(good())["verdict"]
    assert record["again"] == {key: known()[key] for key in ("id", "database", "expires", "taken_at")}
    backup, cleanup = record["checklist"][0], record["checklist"][-1]
    assert backup["detail"].endswith(f"production as of 2026-11-21T10:10:12Z, from the template of rehearsal {FIRST}")
    assert cleanup["detail"] == "kept until 2026-11-23T00:00:00Z: database rehearsal_x_template"
    assert judge(good())["again"] is None


def test_how_long_a_restore_takes_is_what_the_first_rehearsal_measured() -> None:
    assert judge(again())["way_back"]["restore_seconds"] == 73.0
    assert judge(again(template=known(restore_seconds=None)))["way_back"]["restore_seconds"] is None


def test_a_template_that_was_changed_is_a_blocker() -> None:
    other = copy.deepcopy(good().fingerprints["before"])
    name = next(name for name, table in other["tables"].items() if table["rows"])
    other["tables"][name]["rows"] += 1
    record = judge(again(fingerprint=other))
    assert record["verdict"] == "NO-GO"
    assert any("since the template was kept" in message for message in said(record, "copy-differs"))
    counted = judge(again(fingerprint={**other, "proof": "counts"}))
    assert any(f"{name}: " in message and "when the template was kept" in message for message in said(counted, "copy-differs"))


def test_a_template_whose_structure_was_changed_is_a_blocker() -> None:
    other = copy.deepcopy(good().snapshots["before"])
    name = next(iter(other["tables"]))
    column = other["tables"][name]["columns"].popitem()[0]
    record = judge(again(snapshot=other))
    assert record["verdict"] == "NO-GO"
    (message,) = said(record, "copy-differs")
    assert message.startswith(f"column {name}.{column} added") and message.endswith(", since the template was kept")


@pytest.mark.parametrize("missing", ["template", "snapshot", "fingerprint"])
def test_without_the_evidence_of_the_template_it_is_not_green(missing: str) -> None:
    record = judge(again(**{missing: None}))
    assert record["verdict"] == "INCOMPLETE"
    assert said(record, "not-measured") == [f"the evidence lacks «{missing}» of the kept template"]


def rehearsed(root: Path, rehearsal_id: str = FIRST, host: str = "dev", source: str = "production/shop", **template: Any) -> Path:
    """A rehearsal on the controller that kept a template (or none, with `database=None`)."""
    place = root / rehearsal_id
    evidence = place / "evidence"
    evidence.mkdir(parents=True)
    rehearsal = {"dev_host": host, "source": source, "sides": ["dev", "production"], "origin": {"source": "dump"}}
    files.write_json(str(place / "state.json"), {"rehearsal": rehearsal})
    told = {"id": rehearsal_id, "database": "kept", "source": source, "expires": "2026-11-23T00:00:00Z", **template}
    if told["database"]:
        files.write_json(str(evidence / "template.json"), told)
    files.write_json(
        str(evidence / "manifest.json"), {"revisions": {"v": ["a"]}, "server_version_num": 160004, "taken_at": "t", "load": {"seconds": 4}}
    )
    files.write_json(str(evidence / "copy.json"), {"differences": [], "stopped": [], "missing_roles": [], "proved_by": "counts", "facts": {}})
    for name in ("snapshot", "fingerprint"):
        files.write_json(str(evidence / f"{name}-before.json"), {"of": name})
    files.append_json_line(str(evidence / "stages.jsonl"), {"name": "restore", "status": "ok", "seconds": 9.5})
    return place


def find(root: Path, wanted: str = kept_templates.LATEST) -> kept_templates.KeptTemplate:
    return kept_templates.find(str(root), wanted, "dev", "production/shop", NOW)


def test_the_last_one_of_this_host_and_database_that_kept_one_is_found(tmp_path: Path) -> None:
    rehearsed(tmp_path)
    rehearsed(tmp_path, "20261122-000000-aaaaaa", database=None)
    rehearsed(tmp_path, "20261122-000000-bbbbbb", host="other")
    rehearsed(tmp_path, "20261122-000000-cccccc", source="production/other")
    found = find(tmp_path)
    assert (found.known["id"], found.known["revisions"], found.known["restore_seconds"]) == (FIRST, {"v": ["a"]}, 9.5)
    assert found.sides == ["dev", "production"]
    assert sorted(found.evidence) == ["fingerprint-template.json", "manifest.json", "snapshot-template.json", "template.json"]
    assert "load" not in found.evidence["manifest.json"]


def test_one_that_was_kept_in_another_place_is_passed_over_or_refused(tmp_path: Path) -> None:
    rehearsed(tmp_path)
    later = rehearsed(tmp_path, "20261122-120000-eeeeee", place="ephemeral", directory="/var/tmp/there")
    state = files.read_json(str(later / "state.json"))
    state["rehearsal"]["origin"]["place"] = "ephemeral"
    files.write_json(str(later / "state.json"), state)
    assert find(tmp_path).known["id"] == FIRST
    own = kept_templates.find(str(tmp_path), kept_templates.LATEST, "dev", "production/shop", NOW, "ephemeral")
    assert own.known["directory"] == "/var/tmp/there"
    with pytest.raises(kept_templates.NoTemplate, match="kept its copy with rehearsal_copy: ephemeral, and it is existing now"):
        find(tmp_path, "20261122-120000-eeeeee")


def test_one_that_began_with_a_template_hands_on_what_it_took_over(tmp_path: Path) -> None:
    rehearsed(tmp_path)
    first = find(tmp_path)
    second = rehearsed(tmp_path, "20261122-100000-dddddd")
    for name, content in first.evidence.items():
        files.write_json(str(second / "evidence" / name), content)
    files.write_json(str(second / "evidence" / "fingerprint-before.json"), {"of": "something else"})
    assert find(tmp_path, "20261122-100000-dddddd") == first


@pytest.mark.parametrize(
    ("wanted", "made", "message"),
    [
        ("latest", {"database": None}, r"no rehearsal of production/shop on dev below .* has kept a template: set rehearsal_keep: template"),
        ("latest", {"host": "other"}, r"no rehearsal of production/shop on dev"),
        ("latest", {"expires": "2026-11-22T12:00:00Z"}, r"has expired \(2026-11-22T12:00:00Z\)"),
        (FIRST, {"database": None}, r"kept no template"),
        (FIRST, {"source": "production/other"}, r"was one of production/other on dev, not of production/shop on dev"),
        ("20261122-100000-ffffff", {}, r"there is no rehearsal 20261122-100000-ffffff"),
        ("../etc", {}, r"there is no rehearsal \.\./etc"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, wanted: str, made: dict[str, Any], message: str) -> None:
    rehearsed(tmp_path, **made)
    with pytest.raises(kept_templates.NoTemplate, match=message):
        find(tmp_path, wanted)


def test_evidence_that_is_gone_is_told(tmp_path: Path) -> None:
    (rehearsed(tmp_path) / "evidence" / "fingerprint-before.json").unlink()
    with pytest.raises(kept_templates.NoTemplate, match=r"cannot be read \(evidence/fingerprint-before.json is not there\)"):
        find(tmp_path)
