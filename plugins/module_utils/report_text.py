# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the record: the verdict block of the terminal and the Markdown report. Both are made of the record alone."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Sequence

Record = Mapping[str, Any]

_SIGNS = {"ok": "✔", "failed": "✘", "not measured": "–"}
_HEADINGS = (("blocker", "Blockers"), ("warning", "Warnings"), ("info", "For information"))
_MOST_CHANGES = 60
_MOST_TABLES = 20
_SQL_CHARACTERS = 100


def verdict_block(record: Record, report: str) -> str:
    """What the last task prints: the verdict, the checklist, the findings, the path of the report."""
    lines = [f"{record['verdict']}  {_source(record)}  rehearsal {record['id']}", ""]
    for line in record["checklist"]:
        lines.append(f"  {_SIGNS[line['status']]} " + ": ".join(filter(None, (line["item"], _one_line(line["detail"])))))
    shown = [finding for finding in record["findings"] if finding["severity"] != "info"]
    if any(finding["severity"] != "info" or finding.get("accepted") for finding in record["findings"]):
        lines.append("")
    for finding in shown:
        lines.append(f"  {finding['severity'].upper()} {finding['code']}: {_one_line(finding['message'])}")
        lines.append(f"    → {finding['advice']}")
        lines += [f"    {_acceptance(finding)}"] if finding.get("accepted") else []
    accepted = [finding for finding in record["findings"] if finding not in shown and finding.get("accepted")]
    for finding in accepted:
        lines.append(f"  ACCEPTED {finding['code']}: {_one_line(finding['message'])}")
        lines.append(f"    {_acceptance(finding)}")
    informed = len(record["findings"]) - len(shown) - len(accepted)
    if informed:
        lines += ["", f"  {informed} more for information, in the report"]
    lines += ["", f"  {_timing(record)}"]
    lines += [f"  Way back: {_one_line(record['way_back']['text'])}"] if record["way_back"] else []
    lines += [f"  Report: {report}"]
    return "\n".join(lines)


def _acceptance(finding: Mapping[str, Any]) -> str:
    entry = finding["accepted"]
    said = "was accepted, which ended on" if entry["expired"] else f"{entry['severity']}, accepted until"
    return f"{said} {entry['until']}: {_one_line(entry['reason'])}"


def _timing(record: Record) -> str:
    parts = [f"{record['seconds']:.0f} s in all"]
    for run, name in (("upgrade", "upgrade"), ("downgrade", "way back")):
        rows = [row for row in record["revisions"] if row["run"] == run]
        if rows:
            parts.append(f"{name} {sum(row['seconds'] for row in rows):.2f} s ({len(rows)} revisions)")
    longest = record.get("longest_window")
    if longest:
        parts.append(f"{longest['what']} of {longest['table']} blocked for {longest['ms'] / 1000:.2f} s at a stretch")
    return ", ".join(parts)


def summary_table(records: Sequence[Record]) -> str:
    """One line a rehearsal, with its dev host: several may rehearse one database."""
    lines = [f"Rehearsed {len(records)} databases:"]
    rows = [[record["verdict"], f"{_source(record)} on {record['copy']['host']}", _first(record)] for record in records]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines += [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]
    return "\n".join(lines)


def _source(record: Record) -> str:
    return f"{record['production']['host']}/{record['production']['database']}"


def _first(record: Record) -> str:
    findings = [finding for finding in record["findings"] if finding["severity"] != "info"]
    return f"{findings[0]['code']}: {_one_line(findings[0]['message'])}" if findings else _timing(record)


def markdown(record: Record) -> str:
    """The report in the order of the runbook's success criteria."""
    production, copy = record["production"], record["copy"]
    lines = [f"# {record['verdict']}: {_source(record)}", ""]
    lines += [f"Rehearsal {record['id']}, {record['started_at']}, {_timing(record)}.", "", "## Checklist", ""]
    lines += [_checklist_line(line) for line in record["checklist"]]
    lines += _findings(record)
    lines += _table(
        "Revisions",
        ("run", "revision", "message", "seconds", "statements", "rows", "WAL (kB)", "locks", "blocks reads (s)", "blocks writes (s)", "rewrites"),
        [_revision(row) for row in record["revisions"]],
    )
    lines += _blocked(record["timelines"].get("upgrade"))
    lines += _squawk(record.get("squawk"))
    lines += _table(
        "Expectations",
        ("", "expectation", "measured"),
        [(_SIGNS["ok" if check["ok"] else "failed"], check["item"], check["measured"]) for check in record["expectations"]],
    )
    lines += _changes("What the upgrade does to the schema", record["schema_changes"].get("upgrade"))
    lines += _changes("What the upgrade does to existing data", record["data_changes"].get("upgrade"))
    lines += ["", "## The way back", "", _cell(record["way_back"]["text"])] if record["way_back"] else []
    lines += _changes("What the way back loses", record["data_changes"].get("way_back"))
    lines += _table("Production and copy", ("", "production", "copy"), list(_sides(production, copy)))
    lines += _table(
        "Stages",
        ("stage", "host", "status", "seconds", ""),
        [(row["name"], row["host"], row["status"], f"{row['seconds']:.1f}", row["summary"] or row["error"] or "") for row in record["stages"]],
    )
    lines += ["", "## Clean-up", "", *_clean_up(record["cleanup"])]
    return "\n".join(lines) + "\n"


def _checklist_line(line: Mapping[str, Any]) -> str:
    return f"- {_SIGNS[line['status']]} " + " — ".join(filter(None, (f"**{line['item']}**", _cell(line["detail"]))))


def _findings(record: Record) -> List[str]:
    lines: List[str] = []
    for severity, heading in _HEADINGS:
        found = [finding for finding in record["findings"] if finding["severity"] == severity]
        if found:
            lines += ["", f"## {heading}", ""]
        for finding in found:
            lines.append(f"- **{finding['code']}** ({finding['stage']}): {_cell(finding['message'])}")
            if severity != "info":
                lines.append(f"  - {finding['advice']}")
            if finding.get("accepted"):
                lines.append(f"  - {_cell(_acceptance(finding))}")
    return lines


def _revision(row: Mapping[str, Any]) -> Sequence[Any]:
    """Locks are shown from Share on: weaker ones keep no traffic waiting."""
    locks = [f"{table} {mode}" for table, mode in row["locks"].items() if mode in ("Share", "ShareRowExclusive", "Exclusive", "AccessExclusive")]
    shown = ", ".join(locks[:_MOST_TABLES]) + (f" and {len(locks) - _MOST_TABLES} more" if len(locks) > _MOST_TABLES else "")
    rewritten = ", ".join(f"{rewrite['relation']} ({rewrite['reason']})" for rewrite in row["rewrites"])
    blocked = (f"{row[f'blocked_{what}_ms'] / 1000:.3f}" for what in ("reads", "writes"))
    seconds, wal = f"{row['seconds']:.3f}", f"{row['wal_bytes'] / 1000:,.0f}"
    return (row["run"], f"`{row['revision']}`", row["message"], seconds, row["statements"], f"{row['rows']:,}", wal, shown, *blocked, rewritten)


def _blocked(run: Any) -> List[str]:
    """Which tables the upgrade keeps waiting, the longest first."""
    if not run or not run["tables"]:
        return []
    rows = [
        (
            entry["table"],
            what,
            *(f"{entry[what][key] / 1000:.3f}" for key in ("longest_ms", "total_ms", "other_mode_ms")),
            ", ".join(entry[what]["took"]),
        )
        for entry in run["tables"][:_MOST_TABLES]
        for what in ("reads", "writes")
        if what in entry
    ]
    other = "in one transaction" if run["mode"] == "transaction_per_migration" else "with transaction_per_migration"
    lines = _table("Who waits during the upgrade", ("table", "what", "at a stretch (s)", "in all (s)", f"{other} (s, computed)", "locked by"), rows)
    more = len(run["tables"]) + run["tables_left_out"] - _MOST_TABLES
    lines += ["", f"… and {more} more tables, in record.json"] if more > 0 else []
    return [*lines, "", f"In {run['downtime_ms'] / 1000:.3f} s some table's reads or writes wait: the predicted downtime, if nothing else runs."]


def _squawk(squawk: Any) -> List[str]:
    """What the linter claims of the executed SQL, with what was measured; or why it did not look."""
    if not squawk:
        return []
    heading = "What squawk says of the executed SQL"
    if squawk["status"] != "ran":
        return ["", f"## {heading}", "", f"It did not look: {_cell(squawk['reason'])}."]
    claims = squawk["claims"]
    order = {"confirmed": 0, "not measured": 1, "refuted": 2}
    ordered = sorted(claims, key=lambda claim: (not claim["matters"], order[claim["answer"]]))
    rows = [(claim["answer"], claim["rule"], f"`{claim['revision']}`", _short(claim["sql"]), claim["measured"]) for claim in ordered[:_MOST_CHANGES]]
    lines = _table(heading, ("", "claim", "revision", "statement", "measured"), rows) or ["", f"## {heading}", "", "Nothing."]
    unread = f"; it could not read {squawk['not_read']} of them" if squawk["not_read"] else ""
    more = f"; {len(claims) - _MOST_CHANGES} more claims are in record.json" if len(claims) > _MOST_CHANGES else ""
    return [*lines, "", f"squawk {squawk['version']} looked at {squawk['statements']} statements{unread}{more}."]


def _short(sql: str) -> str:
    text = _one_line(sql)
    return text if len(text) <= _SQL_CHARACTERS else text[: _SQL_CHARACTERS - 1] + "…"


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> List[str]:
    if not rows:
        return []
    lines = ["", f"## {heading}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return lines + [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]


def _changes(heading: str, changes: Any) -> List[str]:
    if not changes:
        return []
    shown = [f"- {_cell(change['text'])}" for change in changes[:_MOST_CHANGES]]
    more = [f"- … and {len(changes) - _MOST_CHANGES} more, in record.json"] if len(changes) > _MOST_CHANGES else []
    return ["", f"## {heading}", "", *shown, *more]


def _sides(production: Record, copy: Record) -> Iterator[Sequence[Any]]:
    for key, name in (
        ("server_version", "PostgreSQL"),
        ("encoding", "encoding"),
        ("collate", "collation"),
        ("time_zone", "time zone"),
        ("size_bytes", "size (bytes)"),
        ("extensions", "extensions"),
    ):
        if key in production or key in copy:
            yield name, _shown(production.get(key, "")), _shown(copy.get(key, ""))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items()))
    return str(value)


def _clean_up(cleanup: Dict[str, Any]) -> List[str]:
    lines: List[str] = []
    for side, found in cleanup.items():
        if found is None:
            lines.append(f"- {side}: nothing was made there, or clean-up is not proven (see the findings)")
            continue
        removed = ", ".join(found["removed"]) or "nothing"
        left = "; a look afterwards found nothing" if not found["left"] else f"; **still there: {', '.join(found['left'])}**"
        kept = "; the copy is kept until it expires" if found["copy"] == "kept" else ""
        lines.append(f"- {side}: removed {removed}{left}{kept}")
    return lines


def _cell(value: Any) -> str:
    return _one_line(str(value)).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())
