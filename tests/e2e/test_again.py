"""Another go from the kept template: a migration fails, is mended, and the second rehearsal needs neither backup nor restore."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import read_json
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier, quote_literal
from playbook import Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("again")]

PAST = "2001-01-01T00:00:00Z"


class Story:
    """A first rehearsal whose migration fails and that keeps a template, and a second one of the mended migration."""

    def __init__(self, demo: Demo, place: Path) -> None:
        self.demo, self.place = demo, place
        project = place / "project"
        shutil.copytree(demo.state.application, project)
        wanted = {"rehearsal_application": demo.application(chdir=str(project)), "rehearsal_keep": "template", "rehearsal_data_proof": "changed"}
        self.inventory = demo.inventory(place / "inventory", dev=wanted)
        (revision,) = (project / "migrations" / "versions").glob("3bcf125fefbd*.py")
        good = revision.read_text()
        revision.write_text(good.replace("def upgrade():\n", 'def upgrade():\n    op.execute("SELECT 1 / 0")\n'))
        self.first = self.go("rehearse.yml")
        kept = self.first.directory / "evidence" / "template.json"
        assert kept.exists(), self.first.said
        self.kept: dict[str, Any] = read_json(str(kept))
        self.marker = Marker.from_text(self.comment())
        revision.write_text(good)
        self.second = self.go("playbooks/again.yml")
        self.left = demo.left(self.first.report_dir, expected={"dev": {self.kept["database"]}})
        self.records = self.second.records

    def go(self, playbook: str) -> Played:
        return self.demo.play(self.inventory, self.place, playbook=playbook)

    def comment(self) -> str | None:
        name = quote_literal(self.kept["database"])
        rows = self.demo.rows("dev", f"SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = {name}")
        return rows[0]["text"] if rows else None


@pytest.fixture(scope="module")
def story(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    found = Story(demo, tmp_path_factory.mktemp("again"))
    yield found
    demo.execute("dev", f"DROP DATABASE IF EXISTS {quote_identifier(found.kept['database'])} WITH (FORCE)")


def test_the_first_is_no_go_and_keeps_a_marked_template(story: Story) -> None:
    first = story.records[0]
    assert (first["verdict"], story.first.rc == 0) == ("NO-GO", False), story.first.said
    assert [finding["revision"] for finding in findings(first, "migration-failed")] == ["3bcf125fefbd"]
    assert story.marker is not None and (story.marker.id, story.marker.part) == (first["id"], "template")
    thing = f"database {story.kept['database']}"
    assert first["cleanup"]["dev"]["kept"] == [{"thing": thing, "expires": story.marker.expires}]
    assert f"nothing left behind: kept until {story.marker.expires}: {thing}" in story.first.said


def test_the_second_is_go_without_a_backup_and_a_restore(story: Story) -> None:
    first, second = story.records
    assert (second["verdict"], story.second.rc) == ("GO with warnings", 0), story.second.said
    assert second["again"] == {
        "id": first["id"],
        "database": story.kept["database"],
        "expires": story.kept["expires"],
        "taken_at": first["production"]["taken_at"],
    }
    stages = [stage["name"] for stage in second["stages"]]
    assert not {"backup", "transfer", "template"} & set(stages)
    assert {"restore", "evidence before", "upgrade", "downgrade", "again", "cleanup"} <= set(stages)
    assert second["copy"]["database"] != first["copy"]["database"]
    assert (second["copy"]["rows"], second["copy"]["differences"]) == (first["copy"]["rows"], [])
    assert f"production as of {first['production']['taken_at']}, from the template of rehearsal {first['id']}" in story.second.said
    assert second["way_back"]["restore_seconds"] == sum(stage["seconds"] for stage in first["stages"] if stage["name"] == "restore")
    assert second["production"]["load"] == {} and first["production"]["load"]["seconds"] > 0


def test_what_was_untouched_is_known_on_a_copy_of_the_template_too(story: Story) -> None:
    proof = story.records[1]["data_proof"]["after"]
    assert proof["tables"]["untouched"] > 5 and "contracts" in proof["hashed"]


def test_nothing_but_the_template_stays(story: Story) -> None:
    assert story.left == []


def test_the_command_refuses_what_is_not_there_and_the_sweep_leaves_nothing(story: Story, tmp_path: Path) -> None:
    unknown = story.demo.rehearse(tmp_path / "unknown", "again", "-i", str(story.inventory))
    assert unknown.rc == 2 and "has kept a template: set rehearsal_keep: template and rehearse from the beginning" in unknown.said, unknown.said

    marker = story.marker
    assert marker is not None
    text = Marker(marker.id, marker.source, marker.created, PAST, "template").to_text()
    story.demo.execute("dev", f"COMMENT ON DATABASE {quote_identifier(story.kept['database'])} IS {quote_literal(text)}")
    swept = story.demo.play(story.inventory, tmp_path / "sweep", playbook="playbooks/sweep.yml")
    assert swept.rc == 0 and story.comment() is None, swept.said
    assert story.demo.left(story.first.report_dir) == []

    # Nobody on the controller knows that: the look at dev does.
    reports = ["--report-dir", str(story.first.report_dir)]
    gone = story.demo.rehearse(tmp_path / "gone", "again", story.records[0]["id"], "-i", str(story.inventory), *reports)
    assert gone.rc == 3 and f"the template {story.kept['database']} is not there (any more)" in gone.said, gone.said
    assert story.demo.left(story.first.report_dir) == []
