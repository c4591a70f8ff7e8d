# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reports tell of a record beyond its own figures: the three numbers that matter, and one row for each revision. Pure."""

from __future__ import annotations

import itertools
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, INCOMPLETE, NO_GO
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker, said, term

Record = Mapping[str, Any]

SIGNS: Mapping[str, str] = {"ok": "✔", "failed": "✘", "not measured": "–"}
# Characters of the first blocker's message that stand beside the verdict.
_LONGEST_REASON = 180
# Times in a record have three decimals, so that the length of a window is known to within one.
_ROUNDED_MS = 0.01

# Locks below these keep no traffic waiting.
TELLING_LOCKS = ("Share", "ShareRowExclusive", "Exclusive", "AccessExclusive")
_DATA_CODES = ("data-changed", "data-lost", "rows-changed", "data-not-compared")
# What happens to data that was there; a new table or column does not.
_OF_EXISTING = frozenset(
    ["rows-added", "rows-lost", "rows-changed", "rows-not-comparable", "column-changed", "column-as-declared", "column-dropped"]
    + ["column-not-comparable", "table-dropped", "table-not-comparable"]
)
# Kinds that are said of a whole table, with what they say of each of its columns.
_OF_TABLES = frozenset(["rows-added", "rows-lost", "rows-changed", "rows-not-comparable", "table-dropped", "table-not-comparable"])


def source(record: Record) -> str:
    """Whose database was rehearsed."""
    return f"{record['production']['host']}/{record['production']['database']}"


def sentence(record: Record, say: Speaker) -> str:
    """What the verdict means for the deploy."""
    return {
        GO: say("Deploy: everything was measured, and nothing speaks against it."),
        GO_WITH_WARNINGS: say("It can be deployed: nothing that was measured stops it. Read the warnings first."),
        NO_GO: say("Do not deploy: something that was measured speaks against these migrations."),
        INCOMPLETE: say("Do not deploy yet: the rehearsal could not be carried out, so this is not known."),
    }[record["verdict"]]


def reason(record: Record, say: Speaker) -> str:
    """Why the verdict is not GO, in a line: the first blocker, and how many more there are; "" where nothing blocks."""
    blockers = [finding for finding in record["findings"] if finding["severity"] == "blocker"]
    if not blockers:
        return ""
    first = blockers[0]
    known = CODES.get(first["code"])
    values = {"title": say.word(known.title) if known else first["code"], "message": shortened(say.of(first, "message"), _LONGEST_REASON)}
    if len(blockers) == 1:
        return say("{title}: {message}", **values)
    return say("{title}: {message} — and {count:count more blocker|more blockers}", count=len(blockers) - 1, **values)


def shortened(text: str, most: int) -> str:
    """On one line, and no longer than so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def grouped(findings: Iterable[Mapping[str, Any]]) -> List[List[Mapping[str, Any]]]:
    """Findings of one code and one advice that stand one after the other, together: what is to be done is said once."""
    return [list(found) for _key, found in itertools.groupby(findings, key=lambda one: (one["severity"], one["code"], one["advice"]))]


def checklist_detail(line: Mapping[str, Any], say: Speaker) -> str:
    """What was measured for a line of the checklist; that nothing was, where nothing was."""
    detail = say.of(line, "detail")
    if line["status"] != "not measured":
        return detail
    return say("{status}: {detail}", status=say.word("not measured"), detail=detail) if detail else say.word("not measured")


def downtime(record: Record, say: Speaker) -> Dict[str, str]:
    """{"value", "detail", "mood"}: how long some table's reads or writes wait during the upgrade."""
    title = say("Predicted downtime")
    if record["downtime_ms"] is None:
        begun = record["timelines"].get("upgrade")
        detail = say("until the upgrade failed: {ms:duration}", ms=begun["downtime_ms"]) if begun else ""
        return {"title": title, "value": say("not measured"), "detail": detail, "mood": "unknown"}
    longest = record["longest_window"]
    over = {finding["severity"] for finding in record["findings"] if finding["code"] in ("lock-blocks-reads", "lock-blocks-writes")}
    mood = "bad" if "blocker" in over else "doubtful" if "warning" in over else "good"
    if longest is None:
        return {"title": title, "value": say("none"), "detail": say("no table that is there keeps anybody waiting"), "mood": "good"}
    detail = longest_wait(longest, say)
    return {"title": title, "value": say.duration(record["downtime_ms"]), "detail": detail, "mood": mood}


def longest_wait(longest: Mapping[str, Any], say: Speaker) -> str:
    """Which table's traffic waits longest at a stretch. Whatever keeps reads waiting keeps writes waiting too."""
    values = {"table": longest["table"], "ms": longest["ms"]}
    if longest["what"] == "reads":
        return say("longest: reads and writes of {table} wait {ms:duration}", **values)
    return say("longest: writes of {table} wait {ms:duration}", **values)


def waiting(record: Record, say: Speaker) -> str:
    """What the windows of the upgrade come to."""
    ms_ = record["timelines"]["upgrade"]["downtime_ms"]
    if record["downtime_ms"] is None:
        return say("Until the upgrade failed, some table's reads or writes waited for {ms:duration}.", ms=ms_)
    return say("During {ms:duration} some table's reads or writes wait: the predicted downtime, if nothing else runs.", ms=ms_)


def waiting_rows(record: Record, most: Optional[int] = None) -> List[Tuple[str, str, Mapping[str, Any]]]:
    """(table, what waits, for how long): of the upgrade's first `most` tables.

    Schema changes wait for every lock, so they are told only where they wait longer than the budget of writes, and longer than the table's traffic.
    """
    run = record["timelines"]["upgrade"]
    tables = run["tables"][:most]
    rows = [(entry["table"], what, entry[what]) for entry in tables for what in ("reads", "writes") if what in entry]
    traffic = {table: entry["longest_ms"] for table, _what, entry in rows}
    allowed = record["budgets"]["blocked_writes_ms"]
    longer = [entry for entry in run.get("ddl") or () if entry["longest_ms"] > max(allowed, traffic.get(entry["table"], 0.0))]
    return rows + [(entry["table"], "schema changes", entry) for entry in longer[:most]]


def longest_owners(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """{"took": […], "kept": […]} of the longest of a table's windows; empty lists where the record does not tell them of that one."""
    told = [(end - begin, owners) for (begin, end), owners in zip(entry["windows"], entry["owners"])]
    nobody: Tuple[float, Mapping[str, Any]] = (0.0, {"took": [], "kept": []})
    longest = max(told, key=lambda one: one[0], default=nobody)
    # The record tells a table's first windows only, rounded.
    return longest[1] if longest[0] >= entry["longest_ms"] - _ROUNDED_MS else nobody[1]


def size_rows(record: Record, say: Speaker, most: Optional[int] = None) -> List[Tuple[str, str, str, int]]:
    """(table, size before, size after, bytes that it grew by) of the tables whose size the upgrade changes, those that it changes most first."""
    run = record["timelines"].get("upgrade") or {}

    def shown(size: Optional[int]) -> str:
        return "–" if size is None else say.size(size)

    sizes = (run.get("objects") or {}).get("sizes") or []
    return [
        (size["table"], shown(size["before_bytes"]), shown(size["after_bytes"]), (size["after_bytes"] or 0) - (size["before_bytes"] or 0))
        for size in sizes[:most]
    ]


def ms(seconds: Optional[float]) -> Optional[float]:
    """Milliseconds of what may not have been measured."""
    return None if seconds is None else seconds * 1000


def way_back(record: Record, say: Speaker) -> Dict[str, str]:
    """How long the downgrades take, and whether something is lost by them."""
    title, back = say("Way back"), record["way_back"]
    if back is None:
        return {"title": title, "value": say("not measured"), "detail": "", "mood": "unknown"}
    restore = say("restoring the backup: {ms:duration}", ms=back["restore_seconds"] * 1000) if back["restore_seconds"] is not None else ""
    if back["downgrade_seconds"] is None:
        failed = any(finding["code"] == "downgrade-failed" for finding in record["findings"])
        return {"title": title, "value": say.of(back, "downgrade_text"), "detail": restore, "mood": "bad" if failed else "unknown"}
    value = say.duration(back["downgrade_seconds"] * 1000)
    if back["loses"] is None:
        return {"title": title, "value": value, "detail": say("what it loses was not compared"), "mood": "unknown"}
    if not back["loses"]:
        return {"title": title, "value": value, "detail": say("loses nothing that was there before"), "mood": "good"}
    detail = say("loses data of {count:count table or column|tables and columns}", count=len(back["loses"]))
    return {"title": title, "value": value, "detail": detail, "mood": "doubtful"}


def data_changed(record: Record, say: Speaker) -> Dict[str, str]:
    """How much of the data that was there is not what it was."""
    title, changes, compared = say("Existing data changed"), record["data_changes"].get("upgrade"), record["data_compared"]
    if changes is None or compared is None:
        return {"title": title, "value": say("not measured"), "detail": "", "mood": "unknown"}
    findings = [finding for finding in record["findings"] if finding["code"] in _DATA_CODES]
    undeclared = [finding for finding in findings if finding["severity"] != "info"]
    found = existing_changes(changes)
    counted = (record["data_proof"].get("after") or {}).get("asked") == "counts"
    detail = (
        say("{rows:count row|rows} of {tables:count table|tables} counted; values were not compared", **compared)
        if counted
        else say("{values:number} values in {tables:count table|tables} compared", **compared)
    )
    drops = sum(change["kind"] in ("table-dropped", "column-dropped") for change in found)
    if drops:
        detail = say("{count:count of them drops|of them drop} a table or column; {detail}", count=drops, detail=detail)
    if undeclared:
        value = say("{count:count undeclared change|undeclared changes}", count=len(undeclared))
        return {"title": title, "value": value, "detail": detail, "mood": "bad"}
    # Those that were declared need no advice; the others the policy lets pass.
    accepted = len({finding["object"] for finding in findings if finding["advice"]} & {change["object"] for change in found})
    if accepted:
        values = {"count": len(found), "declared": len(found) - accepted, "accepted": accepted}
        value = say("{count:count change|changes}: {declared} declared, {accepted} accepted", **values)
        return {"title": title, "value": value, "detail": detail, "mood": "doubtful"}
    if found:
        value = say("{count:count declared change|declared changes}", count=len(found))
        return {"title": title, "value": value, "detail": detail, "mood": "good"}
    value = say("no row gained or lost") if counted else say("none")
    return {"title": title, "value": value, "detail": detail, "mood": "unknown" if counted else "good"}


def numbers(record: Record, say: Speaker) -> List[Dict[str, str]]:
    """The three numbers that matter."""
    return [downtime(record, say), way_back(record, say), data_changed(record, say)]


def kind(change: Mapping[str, Any], say: Speaker) -> str:
    """What became of data, in two words."""
    return say.word(change["kind"]).replace("-", " ")


def telling_changes(changes: Sequence[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    """What is about data that was there first; without the columns of a table that is told itself as not to be compared."""
    whole = {change["object"] for change in changes if change["kind"] in _OF_TABLES}
    told = [change for change in changes if change["kind"] != "column-not-comparable" or change["object"].rpartition(".")[0] not in whole]
    return sorted(told, key=lambda change: change["kind"] not in _OF_EXISTING)


def existing_changes(changes: Sequence[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    """Those of the data changes that are about data that was there before."""
    return [change for change in changes if change["kind"] in _OF_EXISTING]


def revision_rows(record: Record) -> List[Dict[str, Any]]:
    """One row for each pending revision, in order: its entry in the record, and `back`: its way down, or None where that did not end."""
    down = {row["revision"]: row for row in record["revisions"] if row["run"] == "downgrade" and row["status"] == "ok"}
    return [{**row, "back": down.get(row["revision"])} for row in record["revisions"] if row["run"] == "upgrade"]


def ran(record: Record, run: str) -> Dict[str, Any]:
    """{"count": revisions of a run that ended, "all": those that were to, "ms": from the begin of the first to the last commit}."""
    rows = [row for row in record["revisions"] if row["run"] == run]
    seconds = record["timelines"][run]["seconds"] if run in record["timelines"] else 0.0
    return {"count": sum(row["status"] == "ok" for row in rows), "all": len(rows), "ms": seconds * 1000}


def telling_locks(row: Mapping[str, Any]) -> List[str]:
    """`shifts AccessExclusive`, …: those that keep traffic waiting, the strongest first."""
    found = [(table, mode) for table, mode in row["locks"].items() if mode in TELLING_LOCKS]
    return [f"{table} {mode}" for table, mode in sorted(found, key=lambda one: (-TELLING_LOCKS.index(one[1]), one[0]))]


def rewritten(row: Mapping[str, Any], say: Speaker) -> List[str]:
    """`contracts (type)`, …"""
    return [f"{rewrite['relation']} ({say.word(rewrite['reason'])})" for rewrite in row["rewrites"]]


def where(finding: Mapping[str, Any]) -> Optional[str]:
    """`migrations/versions/x.py:12`"""
    if not finding.get("file"):
        return None
    return f"{finding['file']}:{finding['line']}" if finding.get("line") else str(finding["file"])


def acceptance(finding: Mapping[str, Any], say: Speaker) -> str:
    """How the policy's entry for a finding stands; "" where there is none."""
    entry = finding.get("accepted")
    if not entry:
        return ""
    values = {"until": entry["until"], "reason": " ".join(entry["reason"].split())}
    if entry["expired"]:
        return say("was accepted, which ended on {until}: {reason}", **values)
    return say("{severity}, accepted until {until}: {reason}", severity=say.word(entry["severity"]), **values)


def fact_rows(record: Record, say: Speaker) -> List[Dict[str, Any]]:
    """Production and the copy side by side: {"name", "production", "copy", "differs"}. Sizes may differ: a copy has no bloat."""
    production, copy = record["production"], record["copy"]
    facts = (
        ("server_version", say("PostgreSQL")),
        ("encoding", say("encoding")),
        ("collate", say("collation")),
        ("ctype", say("character types")),
        ("time_zone", say("time zone")),
        ("tables", say("tables")),
        ("rows", say("rows")),
        ("size_bytes", say("size")),
        ("extensions", say("extensions")),
        ("settings", say("settings of its own (names)")),
    )
    rows = []
    for key, name in facts:
        if key in production or key in copy:
            one, other = production.get(key), copy.get(key)
            both = one is not None and other is not None
            differs = both and one != other and key != "size_bytes"
            rows.append({"name": name, "production": _shown(key, one, say), "copy": _shown(key, other, say), "differs": differs})
    return rows


def _shown(key: str, value: Any, say: Speaker) -> str:
    if value is None:
        return ""
    if key == "size_bytes":
        return say.size(value)
    if key in ("rows", "tables"):
        return say.number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items()))
    return ", ".join(value) if isinstance(value, list) else str(value)


def weaknesses(record: Record, say: Speaker) -> List[str]:
    """What makes the verdict less certain than it could be; each in a sentence. Empty: nothing is known of."""
    found: List[str] = []
    copy = record["copy"]
    for difference in copy.get("differences") or []:
        values: Dict[str, Any] = {"what": term(difference["what"]), "object": difference["object"], "production": str(difference["production"])}
        values["copy"] = said({**difference, "copy": str(difference["copy"])}, "copy")
        found.append(say("{object}: {what} is {copy} on the copy, {production} on production", **values))
    if copy.get("missing_roles"):
        found.append(say("roles that dev lacks, so that nothing on the copy is theirs or granted to them: {roles:list}", roles=copy["missing_roles"]))
    for failure in copy.get("settings_not_replayed") or []:
        found.append(say("a setting of production could not be given to the copy: {failure:heard}", failure=failure))
    for thing in copy.get("stopped") or []:
        values = {"kind": term(thing["kind"]), "object": thing["object"], "reason": thing["reason"]}
        found.append(say("disabled on the copy before anything was migrated: {kind} {object} ({reason:heard})", **values))
    proof = (record["data_proof"].get("after") or {}).get("asked")
    if proof == "counts":
        found.append(say("existing data: rows were counted, values were not compared"))
    for name, reason in ((record["data_proof"].get("after") or {}).get("left_out") or {}).items():
        found.append(say("not part of the data proof: {name} ({reason:heard})", name=name, reason=reason))
    if copy and copy.get("proved_by") == "counts":
        found.append(say("the copy was held against production by its row counts, not by every value (rehearsal_prove_backup)"))
    for finding in record["findings"]:
        if finding["code"] in ("parity", "timeline-incomplete", "untracked-sql", "not-measured", "fence-open", "program-started"):
            found.append(say.of(finding, "message"))
    return list(dict.fromkeys(found))
