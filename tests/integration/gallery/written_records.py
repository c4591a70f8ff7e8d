"""What the record says of each case, line by line: kept in records/, so that whoever changes a rule sees all that it changes.

Written anew, after a change on purpose, by

    GALLERY_EVIDENCE=/tmp/evidence python -m pytest tests/integration/test_gallery.py -k "not changed_rule"   (or some cases)
    PYTHONPATH=collections:src python tests/integration/gallery/written_records.py /tmp/evidence

of which the first fails then; read the difference before you commit it. What has no evidence there stays as it is.

Left out are what differs from run to run (times, sizes), words that are not the judge's own, and what is said of a migration that does nothing.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES

if TYPE_CHECKING:
    from stand import Case

RECORDS = Path(__file__).parent / "records"
# What PostgreSQL says, and how it stores what it is told, differs between its versions: the records are of this one.
MAJOR = "18."
# And what the linter claims between its own.
SQUAWK = "2.70."
# With this case nothing is done; its lines are in no other's.
NOTHING = "data-only-read-full"

_NUMBER = r"(?<![\w.])\d+(?:\.\d+)?(?: ?(?:ms|s|min|h|kB|MB|GB|bytes))\b"
_OF_LOCKS = re.compile(r"(upgrade|downgrade|again) (upgrade|downgrade|changes|blocks) |squawk ")
_VOLATILE = (
    (re.compile(rf"{_NUMBER}(?: {_NUMBER})*"), "#"),
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}"), "ID"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T[\d:]+Z"), "TIME"),
    (re.compile(r"\d+ of them proved untouched"), "… of them proved untouched"),
    (re.compile(r"gallery_copy_\d+"), "COPY"),
)


def differences(case: Case, record: dict[str, Any]) -> str:
    """What is not as it was written down; "" where all is, and on a PostgreSQL that nothing is written down for."""
    if not str(record["production"].get("server_version", MAJOR)).startswith(MAJOR):
        return ""
    written, found = known(case.slug), _lines(case, record)
    if not str(record["squawk"].get("version", "")).startswith(SQUAWK):
        written, found = ([line for line in lines if "squawk" not in line] for lines in (written, found))
    differs = list(difflib.unified_diff(written, found, "written down", "said now", lineterm="", n=0))
    return "\n".join([*differs, f"(how this is written down: {Path(__file__).name})"]) if differs else ""


def _write(case: Case, record: dict[str, Any]) -> None:
    """Write down what is said now."""
    _file(case.slug).write_text("".join(f"{line}\n" for line in _lines(case, record)), encoding="utf-8")
    known.cache_clear()


def _lines(case: Case, record: dict[str, Any]) -> list[str]:
    """Of evidence that was altered: what is said, and what is not said any more, because of that."""
    said = [line.replace("\n", " ") for line in (*_said(record), *(_measured(record) if case.measured else ()))]
    if not case.exact:
        said = [_steady(line) for line in said]
    nothing = [] if case.slug == NOTHING else known(NOTHING)
    original = [] if case.of is None else known(case.of.slug)
    usual = {*nothing, *original}
    if "CONCURRENTLY" in case.up + case.down and not case.exact:
        # Its locks are gone when it ends: whether they were seen is a matter of chance.
        said, original = ([line for line in lines if not _OF_LOCKS.match(line)] for lines in (said, original))
    return [*(line for line in said if line not in usual), *(f"not: {line}" for line in original if line not in said and not case.exact)]


def _said(record: dict[str, Any]) -> Iterator[str]:
    yield record["verdict"]
    for finding in record["findings"]:
        accepted = finding.get("accepted")
        advice = "" if finding["advice"] == CODES[finding["code"]].advice else f" · advice: {finding['advice']}"
        place = " · ".join(str(finding[key]) for key in ("revision", "line") if finding.get(key))
        yield f"{finding['severity']} {finding['code']} {finding['object']} ({finding['stage']} {place}): {_message(finding)}{advice}"
        if accepted:
            yield f"accepted: {_json(accepted)}"
    for line in record["checklist"]:
        against = any(line["detail"] == finding["message"] for finding in record["findings"])
        yield f"{line['item']}: {line['status']}: {'as found' if against else line['detail']}"
    for check in record["expectations"]:
        yield f"expected: {check['item']}: {'met' if check['ok'] else 'not met'}: {check['measured']}, {check['expected']}"
    for what, changes in (*record["schema_changes"].items(), *record["data_changes"].items()):
        for change in changes:
            yield f"{what}: {change['kind']} {change['object']}: {change['text']}"
    for moment, proof in record["data_proof"].items():
        # How a table was known to be untouched is a matter of when it was looked at.
        if proof["asked"] != "changed":
            yield f"proof {moment}: {_json(proof)}"
    yield f"compared: {_json(record['data_compared'])}"
    for revision in record["revisions"]:
        what = {key: revision[key] for key in ("status", "rows", "locks", "rewrites", "scans") if revision[key]}
        yield f"{revision['run']} {revision['direction']} {revision['revision']}: {_json(what)}"
    first: list[str] = []
    for run, timeline in record["timelines"].items():
        found = list(_of_timeline(timeline)) if timeline else []
        # The second upgrade is told of only where it is another one.
        yield from (f"{run} {line}" for line in found if run != "again" or line not in first)
        first = first or found
    yield f"downtime: {record['downtime_ms'] is None}"
    yield from _of_way_back(record["way_back"])
    for claim in record["squawk"]["claims"]:
        yield f"squawk {claim['rule']} {claim['object']}: {claim['answer']}: {claim['measured']}{' !' if claim['matters'] else ''}"
    for key in ("models", "drift", "stairway"):
        if record[key]:
            yield f"{key}: {_json(_without_times(record[key]))}"


def _measured(record: dict[str, Any]) -> Iterator[str]:
    """Times and sizes."""
    for run in ("upgrade", "downgrade"):
        for key, value in (record["timelines"].get(run) or {}).items():
            yield from (f"{run} {key}: {_json(_own(one))}" for one in (value if isinstance(value, list) else [value]))
    for run, folded in record["statements"].items():
        yield from (f"{run} statement: {_json(_own(one))}" for one in folded["statements"])
        yield f"{run} statements left out: {folded['left_out']}"
    yield from (f"revision: {_json(_own(revision))}" for revision in record["revisions"])
    yield f"longest window: {_json(record['longest_window'])}, downtime: {record['downtime_ms']}, budgets: {_json(record['budgets'])}"
    yield f"way back: {_json(_own(record['way_back']))}"


def _own(value: Any) -> Any:
    """Without what says the same for other languages."""
    if isinstance(value, dict):
        same = value.get("reads") is not None and value.get("reads") == value.get("writes")
        return {key: "as reads" if same and key == "writes" else _own(part) for key, part in value.items() if key != "said"}
    return [_own(part) for part in value] if isinstance(value, list) else value


def _of_timeline(timeline: dict[str, Any]) -> Iterator[str]:
    yield f"{timeline['mode']}: {_json([transaction['ended'] for transaction in timeline['transactions']])}"
    yield f"objects: {_json({key: value for key, value in timeline['objects'].items() if value and key != 'sizes'})}"
    for table in sorted(timeline["tables"], key=lambda one: str(one["table"])):
        yield f"blocks {table['table']}: {_json({what: table[what]['took'] for what in ('reads', 'writes') if what in table})}"
    for table in sorted(timeline["ddl"], key=lambda one: str(one["table"])):
        yield f"changes {table['table']}: {_json(table['took'])}"


def _of_way_back(way_back: dict[str, Any] | None) -> Iterator[str]:
    for key, value in (way_back or {}).items():
        if key.endswith("text"):
            yield f"way back: {value}"
        elif not key.endswith(("seconds", "bytes", "said")):
            yield f"way back, {key}: {_json(_without_times(value))}"


def _message(finding: dict[str, Any]) -> str:
    """What the judge says; words that it only hands on are a library's or a server's, whose next version has others."""
    said = finding.get("said", {}).get("message", {})
    return "…" if said.get("template") == "{message:heard}" else str(finding["message"])


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        times = ("_ms", "seconds", "_bytes", "said", "_at")
        return {key: _without_times(part) for key, part in value.items() if key != "t" and not key.endswith(times)}
    return [_without_times(part) for part in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _steady(line: str) -> str:
    for pattern, instead in _VOLATILE:
        line = pattern.sub(instead, line)
    return line


def _file(slug: str) -> Path:
    return RECORDS / f"{slug}.txt"


@functools.cache
def known(slug: str) -> list[str]:
    """The lines that are written down."""
    path = _file(slug)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def main(kept: Path) -> None:
    import every

    # What others are held against comes first.
    cases = dict(sorted(((case.slug, case) for case in every.judged()), key=lambda one: (one[0] != NOTHING, one[1].of is not None)))
    RECORDS.mkdir(exist_ok=True)
    for path in RECORDS.iterdir():
        if path.stem not in cases:
            path.unlink()
    for slug in cases:
        if (kept / slug).is_dir():
            _write(cases[slug], cases[slug].judge(str(kept / slug)))


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    main(Path(sys.argv[1]))
