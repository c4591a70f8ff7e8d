"""What no migration does by itself: evidence of a rehearsal that went well, as it would be had something else gone wrong.

All but that is as it was measured; the judge is to say what is wrong, and nothing else.
"""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import data
from asked import CASES as _ASKED
from evidence_documents import Documents
from good import CASES as _GOOD
from stand import Case

_NOTHING = next(case for case in _GOOD if case.name == "data only read")
_NICK = next(case for case in _GOOD if case.name == "nullable column")
_BESIDE = next(case for case in _GOOD if case.name == "beside old defects")
_DROPPED = next(case for case in _GOOD if case.name == "table with rows dropped, declared")
_WARNED = "GO with warnings"
Change = Callable[[Documents], None]
_MOMENTS, _RUNS = ("before", "after", "back", "again"), ("upgrade", "downgrade", "again")
_EVERYTHING = (
    "manifest.json", "copy.json", "application.json", "squawk.json", "cleanup-dev.json", "cleanup-production.json",
    *(f"{what}-{moment}.json" for what in ("snapshot", "fingerprint", "checks", "identity", "rows") for moment in _MOMENTS),
    *(f"migration-{run}.jsonl" for run in _RUNS),
)  # fmt: skip


def _put(name: str, **values: Any) -> Change:
    """Such values in a document that is there."""

    def change(documents: Documents) -> None:
        documents[name] = {**documents[name], **values}

    return change


def _without(*names: str) -> Change:
    return lambda documents: documents.update(dict.fromkeys(names))


def _all(*changes: Change) -> Change:
    def change(documents: Documents) -> None:
        for one in changes:
            one(documents)

    return change


def _stage(name: str, *findings: dict[str, str], status: str = "failed", host: str = "dev", **more: Any) -> Change:
    """One more stage at the end."""

    def change(documents: Documents) -> None:
        line = {"name": name, "host": host, "status": status, "started_at": documents["context.json"]["created"], "seconds": 1.0, **more}
        documents["stages.jsonl"] = [*documents["stages.jsonl"], {**line, "findings": list(findings)} if findings else line]

    return change


def _ended_before(name: str) -> Change:
    """The rehearsal came as far as this stage, and no farther."""
    kept = {"upgrade": ("before",), "evidence after": ("before",), "downgrade": ("before", "after")}[name]

    def change(documents: Documents) -> None:
        lines = documents["stages.jsonl"]
        documents["stages.jsonl"] = lines[: [line["name"] for line in lines].index(name)]
        gone = [moment for moment in _MOMENTS if moment not in kept]
        documents.update({f"{what}-{moment}.json": None for what in ("snapshot", "fingerprint", "checks", "identity", "rows") for moment in gone})
        ran = ("upgrade",) if name != "upgrade" else ()
        documents.update({f"migration-{run}.jsonl": None for run in _RUNS if run not in ran})

    return change


def _not_there(documents: Documents) -> None:
    """Nothing was begun."""
    documents.update(dict.fromkeys(_EVERYTHING))
    documents["stages.jsonl"] = []


def _bad(name: str, change: Change, *findings: tuple[str, str], verdict: str = "NO-GO", of: Case = _NICK, **more: Any) -> Case:
    return Case(f"altered: {name}", of.up, of=of, changes=change, findings=frozenset(findings), verdict=verdict, **more)


def _unmeasured(name: str, change: Change, what: str, *others: tuple[str, str], **more: Any) -> Case:
    return _bad(f"without {name}", change, ("not-measured", what), *others, verdict="INCOMPLETE", **more)


def _said(code: str, thing: str = "dev", message: str = "it is not as it should be") -> dict[str, str]:
    return {"code": code, "object": thing, "message": message}


def _stopped(kind: str, thing: str, error: str | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "object": thing, "reason": "uses lo_export", "error": error, **more}


def _facts(**values: Any) -> Change:
    return _put("copy.json", **values)


def _origin(**values: Any) -> Change:
    return _put("context.json", origin=values)


def _kept(change: Change = lambda documents: None) -> Change:
    """The copy was made from a template that an earlier rehearsal kept, as it was but for `change`."""

    def made(documents: Documents) -> None:
        _origin(source="template")(documents)
        documents["template.json"] = {
            "id": "20261121-101010-0a0b0c",
            "database": "kept",
            "expires": "2026-11-23T00:00:00Z",
            "taken_at": "2026-11-21T10:10:12Z",
            "restore_seconds": 73.0,
        }
        for what in ("snapshot", "fingerprint"):
            documents[f"{what}-template.json"] = copy.deepcopy(documents[f"{what}-before.json"])
        change(documents)

    return made


def _row_more(documents: Documents) -> None:
    documents["fingerprint-template.json"]["tables"]["cities"]["rows"] += 1


def _row_more_counted(documents: Documents) -> None:
    _row_more(documents)
    documents["fingerprint-template.json"]["proof"] = "counts"


def _table_more(documents: Documents) -> None:
    documents["fingerprint-template.json"]["proof"] = "counts"
    documents["fingerprint-template.json"]["tables"]["gone"] = copy.deepcopy(documents["fingerprint-template.json"]["tables"]["drafts"])


def _column_less(documents: Documents) -> None:
    del documents["snapshot-template.json"]["tables"]["cities"]["columns"]["zone"]


def _heads(*heads: str, target: str | None = None, steps: bool = True) -> Change:
    """The upgrade ended elsewhere."""

    def change(documents: Documents) -> None:
        events = copy.deepcopy(documents["migration-upgrade.jsonl"])
        for event in events:
            if event["event"] == "done":
                event["heads"] = list(heads)
            if event["event"] == "plan":
                event.update(target=target or event["target"], steps=event["steps"] if steps else [])
        documents["migration-upgrade.jsonl"] = events

    return change


def _step(way: str, **values: Any) -> Change:
    """The stairway's first step, m1, did not go so well one way; `again` is none where it failed before."""

    def change(documents: Documents) -> None:
        found = copy.deepcopy(documents["stairway.json"])
        found["steps"][0][way].update(values)
        documents["stairway.json"] = found

    return change


def _stepped(name: str, change: Change, *findings: tuple[str, str], **more: Any) -> Case:
    return _bad(f"stairway: {name}", change, *findings, of=_STEPS, **more)


def _change(thing: str, kind: str = "added", table: str | None = None) -> dict[str, Any]:
    return {"object": thing, "kind": kind, "table": table, "text": f"{kind}: {thing}"}


def _prints(moments: tuple[str, ...], change: Callable[[dict[str, Any]], Any]) -> Change:
    """The fingerprints of these moments are others."""

    def changed(documents: Documents) -> None:
        for moment in moments:
            name = f"fingerprint-{moment}.json"
            documents[name] = copy.deepcopy(documents[name])
            change(documents[name])

    return changed


def _left_out(taken: dict[str, Any]) -> None:
    del taken["tables"]["drafts"]
    taken["left_out"]["drafts"] = "it is a foreign table"


def _unhashed(*columns: str, **values: Any) -> Callable[[dict[str, Any]], Any]:
    """Columns of contracts that cannot be compared, but counted."""

    def change(taken: dict[str, Any]) -> None:
        for column in columns:
            taken["tables"]["contracts"].pop("old_rows", None)
            taken["tables"]["contracts"]["columns"][column].update(hash=None, **values)

    return change


def _data(name: str) -> Case:
    return next(case for case in data.CASES if case.name == name)


def _uncounted(name: str, *findings: tuple[str, str], **more: Any) -> Case:
    """The backup, which rows are counted against, was not there any more."""
    of = _data(name)

    def rows(documents: Documents) -> None:
        documents.update({f"rows-{moment}.json": {"tables": {}, "error": "the backup is gone"} for moment in ("after", "back")})

    return _bad(
        f"uncounted: {name}",
        _all(_put("context.json", created="2026-11-22T10:00:00Z"), rows),
        *(findings or of.findings),
        of=of,
        expectations=of.expectations,
        **more,
    )


_STEPS = next(case for case in _ASKED if case.name == "stairway: each undoes its own")
_MODELS = next(case for case in _ASKED if case.name == "models: a column without a revision")
_NO_DRIFT = next(case for case in _ASKED if case.name == "drift: none")
_OWN = _change("alembic_version"), _change("alembic_version.version_num")
_TELLS = {"what": "collation", "object": "datcollate", "production": "de_DE", "copy": "C"}
_LEFT = ("left-behind", "dev")

CASES = [
    _bad("the rehearsal cannot begin", _all(_not_there, _stage("preflight", _said("preflight", "prod"), host="prod")), ("preflight", "prod"), verdict="INCOMPLETE"),
    _bad("tasks of the inventory fail", _all(_ended_before("upgrade"), _stage("tasks", _said("hook-failed", "after_restore"))), ("hook-failed", "after_restore"), verdict="INCOMPLETE"),
    _bad("a smoke test fails", _all(_ended_before("downgrade"), _stage("tasks", _said("smoke-test-failed", "after_upgrade"))), ("smoke-test-failed", "after_upgrade")),
    _bad("the controller is interrupted", _all(_ended_before("evidence after"), _stage("interrupted", _said("interrupted", "controller")), _stage("upgrade", error="terminated"), _stage("cleanup", status="ok")),
         ("interrupted", "controller"), verdict="INCOMPLETE"),
    _bad("a stage fails", _all(_ended_before("upgrade"), _stage("restore", error="no space left")), ("stage-failed", "dev"), verdict="INCOMPLETE", says=("restore on dev: no space left",)),
    _bad("a stage fails without a word", _all(_ended_before("upgrade"), _stage("restore")), ("stage-failed", "dev"), verdict="INCOMPLETE", says=("no message",)),
    _bad("a stage fails, and what was measured is bad", _all(_ended_before("downgrade"), _stage("downgrade", error="lost"), _facts(differences=[_TELLS])), ("stage-failed", "dev"), ("copy-differs", "datcollate")),
    *(_unmeasured(f"the snapshot {moment}", _without(f"snapshot-{moment}.json"), f"snapshot «{moment}»") for moment in ("back", "again")),
    *(_unmeasured(f"the fingerprint {moment}", _without(f"fingerprint-{moment}.json"), f"fingerprint «{moment}»") for moment in _MOMENTS),
    *(_unmeasured(f"migration {run}", _without(f"migration-{run}.jsonl"), f"the end of migration «{run}»") for run in ("downgrade", "again")),
    _unmeasured("the snapshot before", _without("snapshot-before.json"), "snapshot «before»"),
    _unmeasured("the snapshot after", _without("snapshot-after.json"), "snapshot «after»"),
    _unmeasured("the snapshot after, of which something was expected", _without("snapshot-after.json"), "snapshot «after»", ("not-measured", "users"), ("not-measured", "users.nick"), expectations="after_upgrade: {tables: {users: {columns: {nick: text}}}}\n"),
    _unmeasured("the snapshot after, of which something was asserted", _without("snapshot-after.json"), "snapshot «after»", expectations="assertions: [{name: a, query: after.tables.users, equals: 1}]\n"),
    _unmeasured("migration upgrade", _without("migration-upgrade.jsonl"), "the end of migration «upgrade»"),
    _unmeasured("the checks after", _without("checks-after.json"), "the checks after the upgrade"),
    _unmeasured("the checks back", _without("checks-back.json"), "the checks after the way back"),
    _unmeasured("the manifest", _without("manifest.json"), "the manifest"),
    _unmeasured("the copy", _without("copy.json"), "the copy"),
    _unmeasured("the application", _without("application.json"), "the application's heads"),
    _unmeasured("the application's heads", _put("application.json", heads=None), "the application's heads"),
    _unmeasured("the stages", _without("stages.jsonl"), "the stages", ("not-measured", "stages.jsonl")),
    _unmeasured("stages", lambda documents: documents.update({"stages.jsonl": []}), "the stages"),
    _unmeasured("its expectations", _without("expectations.json"), "expectations.json"),
    _unmeasured("its policy", _put("context.json", policy_file="policy.yml"), "policy.json"),
    *(_unmeasured(what, _put("context.json", asked=[what]), f"the evidence of «{what}», which was asked for,") for what in ("models", "drift", "stairway")),
    _bad("clean-up of one side is not proven", _without("cleanup-dev.json"), _LEFT, verdict="INCOMPLETE"),
    _bad("clean-up failed", _all(_without("cleanup-dev.json"), _stage("cleanup", error="no route to host")), _LEFT, verdict="INCOMPLETE", says=("no route to host",)),
    _bad("a copy is left", _put("cleanup-dev.json", left=["database copy"]), ("left-behind", "database copy"), verdict="INCOMPLETE"),
    _bad("clean-up met something", _put("cleanup-production.json", problems=["it may not be looked at"]), ("left-behind", "production"), verdict="INCOMPLETE"),
    _bad("one side only takes part", _all(_put("context.json", sides=["dev"]), _without("cleanup-production.json")), verdict="GO"),
    _bad("the copy is another one", _facts(differences=[_TELLS]), ("copy-differs", "datcollate")),
    _bad("the copy was not held against production", _all(_facts(proved_by="nothing"), _origin(source="file", backup_file="/backup/a.dump")), ("copy-not-proved", "/backup/a.dump"), verdict=_WARNED),
    _bad("the backup does not tell what production is", _facts(proved_by="nothing", not_told=["collation", "settings"]), ("copy-not-proved", ""), verdict=_WARNED, says=("does not tell production's",)),
    _bad("a dump was chosen", _all(_origin(source="auto"), lambda documents: documents.update({"preflight-dev.json": {"no_basebackup": ["no room"]}, "preflight-production.json": {"host": "prod"}})),
         verdict="GO", infos=frozenset({("dump-chosen", "")}), says=("dev: no room",)),
    _bad("a physical copy was chosen", _all(_origin(source="auto"), _facts(proved_by="checksums"), lambda documents: documents.update({"preflight-dev.json": {"no_basebackup": ["no room"]}})), verdict="GO"),
    _bad("a setting could not be given to the copy", _facts(settings_not_replayed=["work_mem: not allowed"]), ("parity", "settings"), verdict=_WARNED),
    _bad("an index is invalid on production", _put("manifest.json", invalid_indexes=["ix_gone", "ix_users_city"]), ("parity", "ix_gone"), verdict=_WARNED),
    _bad("an index is invalid on production, and nothing is known of the copy", _all(_without("snapshot-before.json"), _put("manifest.json", invalid_indexes=["ix_gone"])), ("not-measured", "snapshot «before»"), verdict="INCOMPLETE"),
    _bad("the linter fails", _put("squawk.json", status="failed", reason="it is too old", claims=[]), verdict="GO", infos=frozenset({("squawk-failed", "")})),
    _bad("the linter was not there", _without("squawk.json"), verdict="GO"),
    _bad("another database stays on the copy's server", _facts(others_left=["shop: in use"]), ("outside-world", "shop"), verdict=_WARNED),
    *(_bad(f"{kind} was stopped", _facts(stopped=[_stopped(kind, "tell", **more)]), verdict="GO", infos=frozenset({("outside-world", "tell")}))
      for kind, more in (("extension", {"schema": "cron"}), ("trigger", {}), ("event trigger", {}), ("foreign server", {}), ("subscription", {"changed": ["jobs"]}), ("job", {}))),
    _bad("a job could not be stopped", _facts(stopped=[_stopped("job", "tell", "not allowed")]), ("outside-world", "tell"), verdict=_WARNED),
    _bad("made from a kept template", _kept(), verdict="GO"),
    _bad("made from a template in a directory", _kept(lambda documents: documents["template.json"].update(directory="/kept", restore_seconds=None)), verdict="GO"),
    _bad("a value of the template is another one", _kept(_row_more), ("copy-differs", "cities"), *(("copy-differs", f"cities.{column}") for column in ("id", "name", "zone"))),
    _bad("the template has other rows, counted", _kept(_row_more_counted), ("copy-differs", "cities")),
    _bad("the template was counted, and has another table", _kept(_table_more), verdict="GO"),
    _bad("the template's schema is another one", _kept(_column_less), ("copy-differs", "cities.zone")),
    *(_bad(f"made from a template of which {what} is not known", _kept(_without(f"{name}.json")), ("not-measured", f"«{what}» of the kept template"), verdict="INCOMPLETE")
      for what, name in (("template", "template"), ("snapshot", "snapshot-template"), ("fingerprint", "fingerprint-template"))),
    _bad("the copy stays", _put("cleanup-dev.json", kept=[{"thing": "database copy", "expires": "2026-11-30T00:00:00Z"}]), verdict="GO"),
    _bad("the upgrade ended elsewhere", _heads("m0"), ("revision-not-reached", ""), says=("the project's head is m1",)),
    _bad("the upgrade ended with one head more", _heads("m1", "m2"), ("revision-not-reached", "")),
    _bad("the upgrade ended nowhere", _heads(), ("revision-not-reached", ""), says=("ended at no revision",)),
    _bad("the upgrade was to go elsewhere", _heads("m0", target="m1"), ("revision-not-reached", ""), says=("it was to go to m1",)),
    _bad("the upgrade went where it was to go", _heads("m1", target="+1"), verdict="GO"),
    _bad("the upgrade had nowhere to go", _heads("m0", target="a0", steps=False), verdict="GO"),
    _bad("the upgrade ended elsewhere, and another end was expected", _heads("m0"), ("revision-not-reached", ""), expectations="revision: m1\n", says=("measured m0, expected m1",)),
    _bad("the upgrade ended elsewhere, as expected", _heads("m0"), verdict="GO", expectations="revision: m0\n"),
    _bad("a table was not fingerprinted any more", _prints(("after", "again"), _left_out), ("data-not-compared", "drafts"), says=("was not fingerprinted after",)),
    _bad("a table was not fingerprinted yet", _prints(("before", "back"), _left_out), ("data-not-compared", "drafts"), says=("was not fingerprinted before",)),
    _bad("columns that cannot be compared", _prints(_MOMENTS, _unhashed("note", "valid_to")), verdict="GO"),
    _bad("columns that cannot be compared any more", _prints(("after", "again"), _unhashed("note")), verdict="GO"),
    _bad("columns that cannot be compared, of another type", _all(_prints(_MOMENTS, _unhashed("note")), _prints(("after", "again"), _unhashed("note", type="varchar(50)"))), verdict="GO", says=()),
    _bad("columns that cannot be compared, with less values", _all(_prints(_MOMENTS, _unhashed("note")), _prints(("after", "again"), _unhashed("note", non_null=3)), _without("rows-after.json", "rows-back.json")), ("data-changed", "contracts.note")),
    *(_bad(f"another key, {key}", _all(_without("rows-after.json", "rows-back.json"), _prints(("after", "again"), lambda taken, key=key: taken["tables"]["old_tariffs"].update(key=key, old_rows=None))), *(("data-not-compared", f"old_tariffs.{name}") for name in ("id", "name", "price")))
      for key in (["name"], ["id", "name"], None)),
    *(_uncounted(name) for name in ("values changed", "one value changed", "values set to NULL", "values moved between rows without a key", "rows deleted", "table emptied", "rows added",
                                    "declared, but one row is left out", "column made anew", "values of a table of one column and no key changed")),
    _uncounted("keys renumbered", ("data-changed", "old_tariffs"), ("data-changed", "old_tariffs.id"), ("data-not-compared", "old_tariffs.name"), ("data-not-compared", "old_tariffs.price")),
    _uncounted("row replaced by another", ("data-changed", "drafts"), ("data-changed", "drafts.id"), ("data-not-compared", "drafts.body")),
    _uncounted("rows deleted behind more rows added", ("downgrade-loses-data", "old_tariffs"), *(("data-not-compared", f"old_tariffs{column}") for column in ("", ".id", ".name", ".price"))),
    _bad("the second upgrade fails", _all(_without("snapshot-again.json", "fingerprint-again.json", "identity-again.json", "migration-again.jsonl"), _stage("again", _said("again-failed", "m1"))), ("again-failed", "m1")),
    _bad("the linter fails, and that is to be known", _put("squawk.json", status="failed", reason="it is too old", claims=[]), ("squawk-failed", ""), verdict=_WARNED, policy="severities: {squawk-failed: warning}\n"),
    _bad("a dump was chosen, and that is to be known", _all(_origin(source="auto"), lambda documents: documents.update({"preflight-dev.json": {"no_basebackup": ["no room"]}})),
         ("dump-chosen", ""), verdict=_WARNED, policy="severities: {dump-chosen: warning}\n"),
    _stepped("the first step back fails", lambda documents: documents.update({"stairway.json": {"steps": [], "error": "locked", "end": None}}), ("stairway-failed", "")),
    _stepped("one does not go up by itself", _all(_step("up", error="no such table"), _step("again", error=None)), ("stairway-failed", "m1"), says=("does not apply by itself: no such table",)),
    _stepped("one does not go down by itself", _step("down", error="no such table"), ("stairway-failed", "m1"), says=("cannot be taken back by itself",)),
    _stepped("one does not go up again by itself", _step("again", error="it is there already"), ("stairway-failed", "m1"), says=("does not apply a second time by itself",)),
    _stepped("one leaves a trace", _step("down", schema=[_change("mood"), *_OWN]), ("stairway-leaves-trace", "m1"), verdict=_WARNED),
    _stepped("one loses data", _step("down", data=[_change("users.name", "column-changed"), *_OWN]), ("stairway-loses-data", "m1"), verdict=_WARNED),
    _stepped("one loses nothing that was there", _step("down", data=[_change(f"users.{kind}", kind) for kind in ("column-added", "column-type-changed", "column-as-declared")] + [_change("acts", "table-added")]), verdict="GO"),
    _stepped("one gives another schema", _step("again", schema=[_change("users.nick", "changed"), *_OWN]), ("stairway-differs", "m1"), verdict=_WARNED),
    _stepped("one gives other data", _step("again", data=[_change("users.nick", "column-changed"), *_OWN]), verdict="GO", infos=frozenset({("stairway-differs", "m1")})),
    _stepped("one gives other data, as it lost it", _all(_step("down", data=[_change("users.name", "column-changed")]), _step("again", data=[_change("users.name", "column-changed")])), ("stairway-loses-data", "m1"), verdict=_WARNED),
    _stepped("one alone ends otherwise", lambda documents: documents.update({"stairway.json": {**documents["stairway.json"], "end": [_change("mood"), *_OWN]}}), ("stairway-differs", ""), verdict=_WARNED),
    _stepped("Alembic's own tables change with each", _all(*(_step(way, schema=list(_OWN), data=list(_OWN)) for way in ("up", "down", "again")), lambda documents: documents.update({"stairway.json": {**documents["stairway.json"], "end": list(_OWN)}})), verdict="GO"),
    _stepped("one has no message", lambda documents: documents.update({"stairway.json": {**documents["stairway.json"], "steps": [{**step, "message": ""} for step in documents["stairway.json"]["steps"]], "end": [_change("mood")]}}), ("stairway-differs", ""), verdict=_WARNED),
    _stepped("one without a message leaves a trace", lambda documents: documents.update({"stairway.json": {**documents["stairway.json"], "steps": [{**step, "message": "", "down": {**step["down"], "schema": [_change("mood")]}} for step in documents["stairway.json"]["steps"][:1]]}}), ("stairway-leaves-trace", "m1"), verdict=_WARNED),
    _stepped("it was stopped between", lambda documents: documents.update({"stairway.json": {"error": None, "end": None, "steps": [documents["stairway.json"]["steps"][0], {"revision": "m2", "message": "revision m2", "up": {"data": [], "error": "locked", "schema": [], "seconds": 0.001}, "down": None, "again": None}]}}), ("stairway-failed", "m2")),
    _bad("models that could not be compared", lambda documents: documents.update({"models.json": {"databases": [{**documents["models.json"]["databases"][0], "differences": [], "reason": "no models"}] * 2}}), ("models-not-compared", ""), of=_MODELS, verdict=_WARNED,
         policy="severities: {models-not-compared: warning}\n"),
    _bad("models that differ in several databases", lambda documents: documents.update({"models.json": {"databases": [
             {**documents["models.json"]["databases"][0], "compare_type": True, "compare_server_default": True},
             {**documents["models.json"]["databases"][0], "differences": [{**one, "table": "acts"} for one in documents["models.json"]["databases"][0]["differences"]], "compare_type": True}, {**documents["models.json"]["databases"][0], "differences": [], "reason": "no models"}]}}),
         ("models-differ", "drafts"), ("models-differ", "acts"), of=_MODELS, verdict=_WARNED, infos=frozenset({("models-not-compared", "")})),
    _bad("drift that could not be measured", lambda documents: documents.update({"drift.json": {"reason": "locked", "changes": [], "revisions": ["a0"]}}), ("drift-not-measured", ""), of=_NO_DRIFT, verdict=_WARNED, policy="severities: {drift-not-measured: warning}\n"),
    _bad("drift of a table that the upgrade touches", lambda documents: documents.update({"drift.json": {"reason": None, "revisions": ["a0", "b0"], "changes": [_change("users.badge", table="users"), _change("ix_users", table="users"), _change("users"), _change("ix_cities", table="cities"), *_OWN, _change("ix_own", table="alembic_version")]}}),
         ("schema-drift", "users.badge"), ("schema-drift", "ix_users"), ("schema-drift", "users"), of=_NO_DRIFT, verdict=_WARNED, infos=frozenset({("schema-drift", "")})),
]  # fmt: skip

BAD = [case for case in CASES if case.verdict != "GO"]
GOOD = [case for case in CASES if case.verdict == "GO"]
