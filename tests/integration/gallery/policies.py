"""What a policy makes of findings: other severities, acceptances with their days, and how many of one code are told."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import data
import locks
from evidence_documents import Documents
from stand import Case

_WARNED = "GO with warnings"
_DAY = "2026-11-22"
_INDEX, _THING = ("index-duplicate", "ix_shifts_who"), "code: index-duplicate, object: ix_shifts_who"
_CHANGED = next(case for case in data.CASES if case.name == "values changed")
_RATE = ("data-changed", "contracts.hourly_rate")
_LOST = next(case for case in data.CASES if case.name == "table with rows dropped")


def _on_that_day(documents: Documents) -> None:
    documents["context.json"] = {**documents["context.json"], "created": f"{_DAY}T23:59:59Z"}


def _accepted(*entries: tuple[str, str], more: str = "") -> str:
    """Entries of (what, until)."""
    return "accepted: [" + ", ".join(f"{{{what}, reason: 'known since {until}', until: {until}}}" for what, until in entries) + "]\n" + more


def _policy(
    name: str,
    policy: str,
    *findings: tuple[str, str],
    of: Case = locks.ACCEPTED,
    verdict: str = _WARNED,
    infos: frozenset[tuple[str, str]] = frozenset(),
    **more: object,
) -> Case:
    more = {"changes": _on_that_day, **more}
    return Case(f"policy: {name}", of.up, of=of, policy=policy, findings=frozenset(findings), verdict=verdict, infos=infos, **more)  # type: ignore[arg-type]


def _many(count: int) -> Case:
    """So many findings of one code; the last of very many is accepted."""

    def change(documents: Documents) -> None:
        _on_that_day(documents)
        documents["copy.json"] = {**documents["copy.json"], "others_left": [f"d{number}: in use" for number in range(count)]}

    accepted = [f"d{count - 1}"] if count > 22 else []
    told = [f"d{number}" for number in range(min(count, 20))] + [""] * (count - len(accepted) > 20)
    entries = [(f"code: outside-world, object: {thing}", "2099-12-31") for thing in accepted]
    infos = frozenset(("outside-world", thing) for thing in accepted)
    return _policy(
        f"{count} of one code",
        _accepted((_THING, "2099-12-31"), *entries),
        *(("outside-world", thing) for thing in told),
        changes=change,
        infos=infos,
    )


CASES = [
    _policy("accepted until that very day", _accepted((_THING, _DAY)), verdict="GO", infos=frozenset({_INDEX})),
    _policy("accepted until the day before", _accepted((_THING, "2026-11-21")), _INDEX),
    _policy("accepted of another thing", _accepted(("code: index-duplicate, object: ix_other", "2099-12-31")), _INDEX, infos=frozenset({("acceptance-unused", "ix_other")})),
    _policy("accepted by another code", _accepted(("code: index-redundant, object: ix_shifts_who", "2099-12-31")), _INDEX, infos=frozenset({("acceptance-unused", "ix_shifts_who")})),
    _policy("the whole is accepted, and is not there", _accepted(("code: schema-drift, object: ''", "2099-12-31"), (_THING, "2099-12-31")), verdict="GO", infos=frozenset({("acceptance-unused", "")}), says=("of the whole until",)),
    _policy("a warning is nothing", "severities: {index-duplicate: info}\n", verdict="GO", infos=frozenset({_INDEX})),
    _policy("a warning is a blocker, and accepted", _accepted((_THING, "2099-12-31"), more="severities: {index-duplicate: blocker}\n"), verdict="GO", infos=frozenset({_INDEX})),
    _policy("a warning is a blocker, and was accepted", _accepted((_THING, "2026-11-21"), more="severities: {index-duplicate: blocker}\n"), _INDEX, verdict="NO-GO"),
    _policy("what is info is accepted, and stays", _accepted((_THING, "2099-12-31"), ("code: fence-open, object: ''", "2026-11-21")), verdict="GO", infos=frozenset({_INDEX, ("fence-open", "")})),
    _policy("a blocker is accepted", _accepted(("code: data-changed, object: contracts.hourly_rate", _DAY)), of=_CHANGED, verdict="GO", infos=frozenset({_RATE})),
    _policy("a blocker was accepted", _accepted(("code: data-changed, object: contracts.hourly_rate", "2026-11-21")), _RATE, of=_CHANGED, verdict="NO-GO"),
    _policy("a blocker is a warning", "severities: {data-changed: warning}\n", _RATE, of=_CHANGED),
    _policy("one of two is accepted", _accepted(("code: data-lost, object: old_tariffs", _DAY)), ("downgrade-loses-data", "old_tariffs"), of=_LOST, infos=frozenset({("data-lost", "old_tariffs")})),
    _policy("what cannot be less is accepted", _accepted((_THING, _DAY), ("code: copy-not-proved, object: ''", _DAY)), ("copy-not-proved", ""),
            changes=lambda documents: (_on_that_day(documents), documents.update({"copy.json": {**documents["copy.json"], "proved_by": "nothing"}}))[0]),
    _policy("what is not there is accepted, and a stage failed", _accepted((_THING, _DAY), ("code: orphans, object: shifts", _DAY)), ("stage-failed", "dev"), verdict="INCOMPLETE",
            changes=lambda documents: (_on_that_day(documents), documents.update({"stages.jsonl": [*documents["stages.jsonl"], {"name": "cleanup", "host": "dev", "status": "ok", "started_at": f"{_DAY}T23:59:59Z", "seconds": 1.0}, {"name": "report", "host": "dev", "status": "failed", "started_at": f"{_DAY}T23:59:59Z", "seconds": 1.0, "error": "no room"}]}))[0]),
    *(_many(count) for count in (1, 19, 20, 21, 22, 30)),
]  # fmt: skip
BAD = [case for case in CASES if case.verdict != "GO"]
GOOD = [case for case in CASES if case.verdict == "GO"]
