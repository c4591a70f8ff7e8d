"""The parts of the HTML report: each row is the record's, what matters comes first, and what is long is folded."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    html_compared,
    html_parts,
    html_tables,
    report_chart,
    report_figures,
    reports,
)

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from report_reading import SAY, cells, part  # noqa: E402


def test_what_is_pending_is_told_where_it_is_known(go: dict[str, Any]) -> None:
    assert "1 pending revision" in reports.render(go, "html")
    assert "pending" not in reports.render(report_records.incomplete(), "html")


# Revisions, who waits, the chart, statements.


def test_a_revisions_row_is_the_records(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "revisions"))
    told = [row for row in rich["revisions"] if row["run"] == "upgrade"]
    down = {row["revision"]: row for row in rich["revisions"] if row["run"] == "downgrade"}
    assert len(rows) == len(told) == 12
    for shown, row in zip(rows, told, strict=True):
        assert row["revision"] in shown[1] and row["message"] in shown[1] and row["file"] in shown[1]
        assert shown[2] == SAY.duration(row["seconds"] * 1000)
        assert shown[4:6] == [SAY.duration(row["blocked_reads_ms"]), SAY.duration(row["blocked_writes_ms"])]
        assert shown[7:9] == [SAY.number(row["rows"]), SAY.size(row["wal_bytes"])]
        assert shown[9] == SAY.duration(down[row["revision"]]["seconds"] * 1000)
    assert any("(type)" in shown[6] for shown in rows)
    assert "(тип)" in reports.render(rich, "html", "ru") and "(type)" not in reports.render(rich, "html", "ru")
    rich["revisions"] = [row for row in rich["revisions"] if row["run"] != "downgrade"]
    assert {shown[9] for shown in cells(part(rich, "revisions"))} == {"–"}


def test_locks_that_keep_nobody_waiting_are_not_told() -> None:
    row = {"locks": {"b": "Share", "a": "AccessExclusive", "c": "ShareUpdateExclusive", "d": "AccessExclusive"}}
    assert report_figures.telling_locks(row) == ["a AccessExclusive", "d AccessExclusive", "b Share"]


def test_every_table_that_waits_has_its_row_and_its_lane(rich: dict[str, Any]) -> None:
    run = rich["timelines"]["upgrade"]
    rows = cells(part(rich, "waits"))
    assert [(row[0], row[1]) for row in rows] == [(one["table"], what) for one in run["tables"] for what in ("reads", "writes") if what in one]
    first = run["tables"][0]["reads"]
    assert rows[0][2:5] == [SAY.duration(first[key]) for key in ("longest_ms", "total_ms", "other_mode_ms")]
    chart = str(report_chart.timeline(rich, SAY))
    assert [chart.count(f'class="{what}"') >= sum(len(one[what]["windows"]) for one in run["tables"] if what in one) for what in ("reads", "writes")]
    assert sorted(re.findall(r'class="table">([^<]+)<', chart)) == sorted(one["table"] for one in run["tables"])
    run["tables_left_out"] = 3
    assert "3 more tables in the evidence" in part(rich, "waits")


def test_schema_changes_that_wait_longer_than_traffic_are_told_and_so_are_sizes(rich: dict[str, Any]) -> None:
    rich = json.loads(json.dumps(rich))
    run = rich["timelines"]["upgrade"]
    waiting = {**run["tables"][0]["writes"], "longest_ms": 5000.0, "total_ms": 5000.0}
    run["ddl"] = [{"table": "only_written", **waiting}, {"table": "briefly", **waiting, "longest_ms": 1000.0}]
    run["objects"]["sizes"] = [{"table": "new_one", "before_bytes": None, "after_bytes": 8192},
                               {"table": "gone", "before_bytes": 3_000_000, "after_bytes": None}]  # fmt: skip
    rows = report_figures.waiting_rows(rich)
    assert [(table, what) for table, what, _entry in rows if what == "schema changes"] == [("only_written", "schema changes")]
    page, markdown = part(rich, "waits"), reports.render(rich, "md")
    assert "only_written" in page and "schema changes" in page and "briefly" not in page
    assert "| only_written | schema changes | 5 s | 5 s |" in markdown
    sizes = part(rich, "sizes")
    assert "new_one" in sizes and "−3 MB" in sizes
    assert "| gone | 3 MB | – |" in markdown


def test_who_took_and_kept_the_longest_window_is_told_with_the_statement(rich: dict[str, Any]) -> None:
    entry = rich["timelines"]["upgrade"]["tables"][0]["reads"]

    def window(name: str) -> dict[str, Any]:
        return {"took": [{"revision": "r1", "sql": f"ALTER {name}"}], "kept": [{"revision": "r2", "sql": f"UPDATE {name}", "ms": 41.0}]}

    entry.update(windows=[[0.0, 5.0], [10.0, 60.0], [70.0, 71.0]], longest_ms=50.0, owners=[window("first"), window("longest"), window("last")])
    row = cells(part(rich, "waits"))[0]
    assert "ALTER longest" in row[5] and "UPDATE longest" in row[6] and "41 ms" in row[6]
    assert not [name for name in ("first", "last") if name in " ".join(row)]
    # It is not among those that the record tells one by one.
    entry["longest_ms"] = 900.0
    assert "ALTER" not in " ".join(cells(part(rich, "waits"))[0])


def test_statements_are_told_with_their_figures(rich: dict[str, Any]) -> None:
    folded = rich["statements"]["upgrade"]
    rows = cells(part(rich, "statements"))
    assert [row[1] for row in rows] == [SAY.number(entry["calls"]) for entry in folded["statements"]]
    assert [row[2:5] for row in rows] == [[SAY.duration(entry[key]) for key in ("total_ms", "max_ms", "mean_ms")] for entry in folded["statements"]]
    entry = {"histogram": [1, 0, 4], "sql": ""}
    picture = str(report_chart.histogram(entry, [1.0, 10.0], SAY))
    assert "up to 1 ms: 1, above 10 ms: 4" in picture and picture.count("<rect") == 2
    assert re.findall(r'height="(\d+)" class="bar"', picture) == ["4", "18"]
    long = html_tables.sql("x" * 161)
    assert long.startswith("<details>") and not html_tables.sql("x" * 160).startswith("<details>")


# Tables.


def test_long_lists_and_long_tables_fold() -> None:
    assert "<details>" not in html_tables.short_list(list("abcd"), SAY)
    folded = html_tables.short_list(list("abcde"), SAY)
    assert folded.index("<code>c</code>") < folded.index("and 2 more") < folded.index("<code>d</code>")
    column = [html_tables.Column("x")]
    assert "<input" not in html_tables.table("t", column, [("a",)] * 7, SAY)
    assert "<input" in html_tables.table("t", column, [("a",)] * 8, SAY)
    assert html_tables.table("t", column, [], SAY) == ""
    plain, numeric, wide = (html_tables.table("t", [one], [("a",)], SAY) for one in (
        html_tables.Column("x"), html_tables.Column("x", numeric=True), html_tables.Column("x", wide=True)
    ))  # fmt: skip
    assert ["class" in page.partition("<td")[2].partition(">")[0] for page in (plain, numeric, wide)] == [False, True, True]
    assert 'data-fold="20"' in html_tables.table("t", column, [("a",)], SAY)


def test_a_row_of_many_cells_says_on_a_phone_what_they_are() -> None:
    wide = html_tables.table("t", [html_tables.Column(name) for name in ("a", "b", "", "d")], [("1", html_tables.Cell(2, 2), "3", "4")], SAY)
    assert '<table class="cards">' in wide
    assert re.findall("<td[^>]*>", wide) == ['<td data-label="a">', '<td data-order="2" data-label="b">', "<td>", '<td data-label="d">']
    assert "data-label" not in html_tables.table("t", [html_tables.Column(name) for name in "ab"], [("1", "2")], SAY)


# What was compared on top.


def test_parts_are_there_only_where_something_was_measured(rich: dict[str, Any], go: dict[str, Any]) -> None:
    for name in ("squawk", "models", "drift", "stairway"):
        assert part(rich, name), name
        assert name not in [called for called, _heading, _content in html_parts.parts(go, SAY)]


def test_squawks_claims_are_told_with_their_answers(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "squawk"))
    assert [(row[0], row[1]) for row in rows] == [
        ("confirmed", "adding-not-nullable-field"), ("not measured", "require-statement-timeout"), ("not measured", "ban-drop-column"),
        ("refuted", "changing-column-type"),
    ]  # fmt: skip
    assert "<strong>confirmed</strong>" in part(rich, "squawk") and "confirmed: 1 · refuted: 1 · not measured: 2" in part(rich, "squawk")
    assert "it could not read 1 of them" in part(rich, "squawk")
    rich["squawk"]["claims"][0]["matters"] = False
    harmless = [row for row in cells(part(rich, "squawk")) if row[0].startswith("confirmed")]
    assert harmless and "harmless here" in harmless[0][0] and "<strong>confirmed" not in part(rich, "squawk")
    rich["squawk"].update(claims=[], not_read=0)
    assert "It claims nothing." in part(rich, "squawk") and "could not read" not in part(rich, "squawk")
    rich["squawk"].update(status="missing", reason="not there")
    assert html_compared.squawk_note(rich, SAY) == "It did not look: not there."


def test_drift_says_what_the_upgrade_touches(rich: dict[str, Any]) -> None:
    changes = rich["drift"]["changes"]
    assert [row[0] for row in cells(part(rich, "drift"))] == [change["object"] for change in changes]
    assert {row[3] for row in cells(part(rich, "drift"))} == {"yes"}
    changes.append({**changes[0], "object": "elsewhere", "table": None})
    changes.append({**changes[0], "object": "alembic_version", "table": None})
    rows = cells(part(rich, "drift"))
    assert (rows[-1][0], rows[-1][3]) == ("elsewhere", "no")
    rich["drift"]["changes"] = []
    assert "Production is exactly what its revision says." in part(rich, "drift") and "7 revisions were run from nothing up to a1" in part(
        rich, "drift"
    )
    rich["drift"]["reason"] = "no way"
    assert "could not be measured: no way" in part(rich, "drift")


def test_models_tell_first_what_the_copy_lacks(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "models"))
    assert [row[0] for row in rows] == ["t001", "t002", "t003"] and rows[2][1] == "only in the database"
    assert "compare_server_default is off" in part(rich, "models") and "compare_type is off" not in part(rich, "models")
    (one,) = rich["models"]["databases"]
    one["differences"].reverse()
    assert [row[0] for row in cells(part(rich, "models"))] == ["t001", "t002", "t003"]
    one["differences"] = []
    assert "The models are what the migrations make." in part(rich, "models")
    one["reason"] = "env.py names no models"
    page = part(rich, "models")
    assert "were not compared: env.py names no models" in page and "are what the migrations make" not in page and "alembic check" not in page


def test_the_stairway_tells_each_step(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "stairway"))
    assert [row[2:5] for row in rows] == [["200 ms"] * 3, ["200 ms"] * 3, ["200 ms", "failed", "not tried"]]
    assert "Deadline: not finished within 5 s" in rows[2][5] and "down:" in rows[0][5]
    many = len(rich["stairway"]["steps"][1]["down"]["data"])
    assert many > 4 and f"and {many - 3} more" in rows[1][5] and "more" not in rows[0][5]
    page = part(rich, "stairway")
    assert "It ended before the last revision" in page and "2 revisions were taken up, down and up again" in page
    change = {"object": "t", "kind": "added", "text": "t is another"}
    rich["stairway"].update(complete=True, end=[change])
    page = part(rich, "stairway")
    assert "It ended before" not in page and "in another schema than all at once" in page and "t is another" in page
    rich["stairway"].update(complete=False, end=None, error="x y z")
    page = part(rich, "stairway")
    assert "failed: x y z" in page and "It ended before" not in page


# Expectations, facts, clean-up.


def test_what_is_not_met_comes_first(rich: dict[str, Any]) -> None:
    met = [check["ok"] for check in rich["expectations"]]
    assert met == [True, False]
    assert [row[0] for row in cells(part(rich, "expectations"))] == ["✘", "✔"]
    rich["expectations"].append({**rich["expectations"][0], "stage": "back"})
    assert [row[1] for row in cells(part(rich, "expectations"))] == ["upgrade", "upgrade", "back"]
    assert "| back | " in reports.render({**rich, "expectations": [{**rich["expectations"][0], "stage": "back", "ok": False}]}, "md")
    rich["expectations"].pop()
    assert "1 of 2 expectations met" in part(rich, "expectations")
    assert "No expectations file was given" in part({**rich, "expectations": []}, "expectations")


def test_clean_up_is_told_for_each_side(rich: dict[str, Any]) -> None:
    kept = {"removed": [], "left": [], "copy": "kept"}
    assert html_parts.clean_up_lines({"dev": kept, "production": None}, SAY) == [
        "dev: removed nothing; a look afterwards found nothing; the copy is kept until it expires",
        "production: nothing was made there, or clean-up is not proven (see the findings)",
    ]
    assert "still there: database rehearsal_x" in part(rich, "stages")


def test_a_stage_tells_its_summary_or_its_error() -> None:
    assert html_parts.stage_note({"summary": "done", "error": None}, SAY) == "done"
    assert html_parts.stage_note({"summary": None, "error": "broken"}, SAY) == "broken"
    assert html_parts.stage_note({"summary": None, "error": None}, SAY) == ""


def test_commands_can_be_copied_into_a_shell() -> None:
    command = ["python", "-m", "alembic", "-x", "db=…", "a b"]
    step = {"environment": {"PGOPTIONS": "-c lock_timeout=5s"}, "command": command, "input": None, "output": None}
    assert html_parts.command_line(step) == "PGOPTIONS='-c lock_timeout=5s' python -m alembic -x db=… 'a b'"
