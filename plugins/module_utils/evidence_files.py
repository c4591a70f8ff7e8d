# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the evidence of a rehearsal back from its files. See docs/evidence.md for their shapes."""

from __future__ import annotations

import dataclasses
import errno
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import PRODUCTION, Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import Renames, between
from ansible_collections.migrations.rehearsal.plugins.module_utils.shared_json import Shared

MOMENTS = ("before", "after", "back", "again")
RUNS = ("upgrade", "downgrade", "again")
SIDES = ("dev", "production")

Document = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Everything that is known of a rehearsal. None, or a key that is missing: it was not measured."""

    context: Document
    stages: List[Document]
    expectations: Expectations
    preflight: Dict[str, Document]
    manifest: Optional[Document]
    copy: Optional[Document]
    application: Optional[Document]
    snapshots: Dict[str, Document]
    fingerprints: Dict[str, Document]
    checks: Dict[str, Document]
    migrations: Dict[str, List[Document]]
    cleanup: Dict[str, Document]
    rows: Dict[str, Document] = dataclasses.field(default_factory=dict)
    # Each only where it was asked for.
    models: Optional[Document] = None
    drift: Optional[Document] = None
    stairway: Optional[Document] = None
    # How long the first migration waited for a copy in a server of its own to be on the disk.
    flush: Optional[Document] = None
    policy: Policy = dataclasses.field(default_factory=Policy)
    # What the linter of that name said of the upgrade's SQL.
    squawk: Optional[Document] = None
    # Where the copy was made from a kept template: `template` (what is known of it), and `snapshot` and `fingerprint` of when it was made.
    kept: Dict[str, Document] = dataclasses.field(default_factory=dict)
    # Which relation and column is which, by moment.
    identities: Dict[str, Document] = dataclasses.field(default_factory=dict)
    # Files that this rehearsal must have had, and that are not there.
    missing: Tuple[str, ...] = ()

    def failed_stages(self) -> List[Document]:
        """The stages that did not end well."""
        return [stage for stage in self.stages if stage["status"] != "ok"]

    def renames(self, first: str, second: str) -> Renames:
        """What of one moment is called otherwise at another. What the expectations say of copies holds for the upgrade."""
        told = self.expectations.told_renames() if (first, second) in (("before", "after"), ("before", "again")) else {}
        return between(self.identities.get(first), self.identities.get(second), told)


def how_it_was_copied(evidence: Evidence) -> Dict[str, Any]:
    """`source`: what the copy was made from (dump, basebackup, file or template); `why_not_physical`: why `auto` chose a dump, in words."""
    asked = (evidence.context.get("origin") or {}).get("source", "dump")
    if asked != "auto":
        return {"source": asked, "why_not_physical": []}
    if (evidence.copy or {}).get("proved_by") == "checksums":
        return {"source": "basebackup", "why_not_physical": []}
    reasons = [f"{side}: {reason}" for side, looked in evidence.preflight.items() for reason in looked.get("no_basebackup") or []]
    return {"source": "dump", "why_not_physical": reasons}


def version_tables(evidence: Evidence) -> List[str]:
    """Alembic's own tables: they change with every revision, and are nobody's data."""
    known = set((evidence.manifest or {}).get("revisions") or {})
    known |= set((evidence.application or {}).get("version_tables") or [])
    return sorted(known or {"alembic_version"})


def whole_way_back(evidence: Evidence) -> bool:
    """The downgrade went to production's revision, by that name or another: what is there then is held against what was there before."""
    if evidence.expectations.downgrade_to == PRODUCTION:
        return True
    done = [event for event in evidence.migrations.get("downgrade", []) if event["event"] == "done"]
    current = (evidence.application or {}).get("current")
    return bool(done) and current is not None and set(done[-1]["heads"]) == set(current)


def load(directory: str) -> Evidence:
    """All evidence below a directory. It must not be changed: equal parts of it are one.

    Raises OSError where the directory or its context.json is missing, ValueError for a damaged file.
    """

    shared = Shared()

    def read(name: str, reader: Callable[[str], Any]) -> Any:
        path = os.path.join(directory, name)
        try:
            return reader(path) if os.path.exists(path) else None
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error

    def document(name: str) -> Optional[Document]:
        found = read(name, shared.read)
        path = os.path.join(directory, name)
        if isinstance(found, dict) and (found or name in ("expectations.json", "policy.json")):
            return found
        if os.path.exists(path):
            raise ValueError(f"{path} is damaged: it is no JSON object, or an empty one")
        return None

    def lines(name: str) -> Optional[List[Document]]:
        found: Optional[List[Document]] = read(name, lambda path: list(files.read_json_lines(path)))
        return found

    def each(pattern: str, keys: Any, read: Any) -> Dict[str, Any]:
        found = {key: read(pattern.format(key)) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    context = document("context.json")
    if context is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.path.join(directory, "context.json"))
    return Evidence(
        context=context,
        stages=lines("stages.jsonl") or [],
        expectations=Expectations.from_json(document("expectations.json") or {}),
        preflight=each("preflight-{}.json", SIDES, document),
        manifest=document("manifest.json"),
        copy=document("copy.json"),
        application=document("application.json"),
        snapshots=each("snapshot-{}.json", MOMENTS, document),
        fingerprints=each("fingerprint-{}.json", MOMENTS, document),
        checks=each("checks-{}.json", MOMENTS, document),
        migrations=each("migration-{}.jsonl", RUNS, lines),
        cleanup=each("cleanup-{}.json", SIDES, document),
        rows=each("rows-{}.json", MOMENTS, document),
        identities=each("identity-{}.json", MOMENTS, document),
        models=document("models.json"),
        drift=document("drift.json"),
        stairway=document("stairway.json"),
        flush=document("flush.json"),
        policy=Policy.from_json(document("policy.json") or {}),
        squawk=document("squawk.json"),
        kept={**each("{}.json", ("template",), document), **each("{}-template.json", ("snapshot", "fingerprint"), document)},
        missing=tuple(name for name in _promised(context) if not os.path.exists(os.path.join(directory, name))),
    )


def _promised(context: Document) -> List[str]:
    """Files without which nothing is known of what a rehearsal did, or of what its user had said."""
    told = [name for name, key in (("expectations.json", "expectations_file"), ("policy.json", "policy_file")) if context.get(key)]
    return ["stages.jsonl", *told]
