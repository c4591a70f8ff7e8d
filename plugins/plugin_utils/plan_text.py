# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal would do, for a person who has asked with --check: after preflight, so with what it has found out."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

_LABEL, _WIDTH = 12, 110
_MOST_REVISIONS = 20


@dataclasses.dataclass(frozen=True)
class Plan:
    """`rehearsal` as prepared; `source` as chosen by now; `production`, `dev`: what preflight found there, empty where it did not look.

    `pending`: [{"revision", "message"}]; None where only the copy can tell. `heads`: where the upgrade ends, as far as that is known.
    """

    rehearsal: Mapping[str, Any]
    source: str
    production: Mapping[str, Any]
    dev: Mapping[str, Any]
    pending: list[dict[str, str]] | None
    heads: list[str]
    transfer: str = "controller"
    jobs: int = 2
    data_proof: str = "full"


def text(plan: Plan) -> str:
    """The block: a heading, and a paragraph for each step."""
    one = plan.rehearsal
    lines = [f"What would be done for {one['source']} on {one['dev_host']}; nothing was changed:", ""]
    for label, said in (
        ("back up", _backup(plan)),
        ("carry", _carry(plan)),
        ("copy", _copy(plan)),
        ("migrate", _migrate(plan)),
        ("prove", _prove(plan)),
        ("remove", _remove(plan)),
    ):
        lines += textwrap.wrap(said, _WIDTH, initial_indent=f"  {label:<{_LABEL}}", subsequent_indent=" " * (_LABEL + 2), break_long_words=False)
        if label == "migrate":
            lines += _revisions(plan)
    return "\n".join(lines)


def _backup(plan: Plan) -> str:
    one, facts = plan.rehearsal, plan.production
    if plan.source == "template":
        return f"nothing: the copy is made from {one['template']['database']}, which rehearsal {one['template']['id']} kept"
    if plan.source == "file":
        return f"nothing: {one['origin']['backup_file']} on {_file_host(plan)} is there, and is only read"
    where = f"{one['production_host']}/{one['database']}"
    if facts:
        where = f"{where} (PostgreSQL {facts['server_version']}, {facts['size_bytes'] / 1e6:,.0f} MB)"
    if plan.source == "basebackup":
        return f"{where}: a physical copy of the whole server by pg_basebackup"
    if plan.transfer == "pull":
        return f"{where}: nothing yet but a look at it, read-only"
    return f"{where}: pg_dump with {plan.jobs} connections in one snapshot, all read-only, and one that counts every table's rows in it"


def _file_host(plan: Plan) -> str:
    one = plan.rehearsal
    return str({"controller": "the controller", "production": one["production_host"]}.get(one["origin"]["backup_file_on"], one["dev_host"]))


def _carry(plan: Plan) -> str:
    one = plan.rehearsal
    production, dev = one["production_host"], one["dev_host"]
    on = one["origin"]["backup_file_on"]
    if plan.source == "template" or on == "dev":
        return "nothing"
    checked = "every file checked there against its SHA-256"
    if on == "controller":
        return f"controller → {dev}; {checked}"
    if plan.source == "dump" and plan.transfer == "pull":
        return (
            f"{production} → {dev}, which reads it itself with {plan.jobs} connections in one snapshot, all read-only, and one that counts every "
            "table's rows in it: straight into the copy, indexed while the rest is read"
        )
    if plan.source == "dump" and plan.transfer == "stream":
        return f"{production} → controller → {dev}, while it is made: no file of it on {production}; {checked}"
    if plan.source != "file" and plan.transfer == "direct":
        return f"{production} → {dev} by ssh; {checked}"
    return f"{production} → controller → {dev}; {checked}"


def _copy(plan: Plan) -> str:
    one = plan.rehearsal
    version = plan.dev.get("server_version")
    server = f"in dev's server{f' (PostgreSQL {version})' if version else ''}"
    if one["origin"]["place"] == "ephemeral":
        server = "in a server of its own, which listens on a socket in the work directory"
    how = {"template": "by copying files", "basebackup": "with production's other databases dropped"}.get(plan.source, "restored by pg_restore")
    if plan.source == "file":
        how = "restored from the file, and not held against production"
    return f"database {one['copy_database']} {server}, marked before a row is in it, {how}"


def _migrate(plan: Plan) -> str:
    now = sorted({revision for found in (plan.production.get("revisions") or {}).values() for revision in found})
    stands = f"from {', '.join(now)} " if now else ""
    end = ", ".join(plan.heads) or "the head"
    if plan.pending is None:
        return f"{stands}to {end}: which revisions, only the copy can tell"
    if not plan.pending:
        return f"nothing is pending: production stands on {', '.join(now) or 'no revision'}"
    return f"{len(plan.pending)} revisions, {stands}to {plan.pending[-1]['revision']}, behind the fence:"


def _revisions(plan: Plan) -> Iterator[str]:
    revisions = plan.pending or []
    for one in revisions[:_MOST_REVISIONS]:
        yield f"{' ' * (_LABEL + 4)}{one['revision']}  {one['message']}"
    if len(revisions) > _MOST_REVISIONS:
        yield f"{' ' * (_LABEL + 4)}… and {len(revisions) - _MOST_REVISIONS} more"


def _prove(plan: Plan) -> str:
    values = {
        "full": "every value of every row that was there before",
        "changed": "every value of the rows that changed",
        "counts": "the number of rows",
    }
    return f"catalog, foreign keys, {values.get(plan.data_proof, plan.data_proof)}; then back to where production stands, and up again"


def _remove(plan: Plan) -> str:
    one = plan.rehearsal
    keep = one["keep"]
    things = {"copy": "the copy", "backup": "the backup", "template": "the template"}
    removed = [name for key, name in things.items() if key != keep and key != "template"]
    hosts = f"{one['production_host']} and {one['dev_host']}" if "production" in one["sides"] else one["dev_host"]
    kept = f"; kept until {one['expires']}: {things[keep]} (rehearsal_keep)" if keep in things else ""
    return f"{' and '.join(removed)}, with the work directories on {hosts}, also after a failure{kept}"
