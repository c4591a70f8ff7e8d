# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, among the rehearsals on the controller, the one whose kept template another go is to begin with, and take over its evidence."""

from __future__ import annotations

import dataclasses
import datetime
import os
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, identity, kept_server
from ansible_collections.migrations.rehearsal.plugins.module_utils.kept_template import TemplateRefused
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import EVIDENCE, STAGES, STATE, RehearsalDirectory

LATEST = "latest"
TEMPLATE = "template.json"
# What a rehearsal finds out about its copy when that is made.
_FOUND_OUT = (
    "tables", "rows", "differences", "proved_by", "stopped", "missing_roles", "roles_not_given", "settings_not_replayed", "not_told", "others_left",
)  # fmt: skip
_FROM_THE_BEGINNING = "set rehearsal_keep: template and rehearse from the beginning"


class NoTemplate(Exception):
    """There is none that could be used; the message says why, and what to do."""


@dataclasses.dataclass(frozen=True)
class KeptTemplate:
    """What later stages need to know of it, and the evidence that the new rehearsal takes over, by file name."""

    known: dict[str, Any]
    evidence: dict[str, Any]
    sides: list[str]


def find(report_dir: str, wanted: str, dev_host: str, source: str, now: datetime.datetime, place: str = "existing") -> KeptTemplate:
    """The template of the rehearsal `wanted` (an id, or `latest`) of `source` on this dev host, for a copy in `place`. Raises NoTemplate."""
    root = os.path.abspath(os.path.expanduser(report_dir))
    if wanted == LATEST:
        known = (RehearsalDirectory(os.path.join(root, name)) for name in sorted(_names(root), reverse=True) if identity.is_id(name))
        found = next((one for one in known if os.path.exists(one.evidence(TEMPLATE)) and _of(one, place) == (dev_host, source)), None)
        if found is None:
            raise NoTemplate(f"no rehearsal of {source} on {dev_host} below {root} has kept a template: {_FROM_THE_BEGINNING}")
    else:
        found = RehearsalDirectory(os.path.join(root, wanted))
        if not identity.is_id(wanted) or not os.path.exists(found.file(STATE)):
            raise NoTemplate(f"there is no rehearsal {wanted} below {root}")
        of = _of(found, "")
        if of != (dev_host, source):
            raise NoTemplate(f"rehearsal {wanted} was one of {of[1]} on {of[0]}, not of {source} on {dev_host}")
        if not os.path.exists(found.evidence(TEMPLATE)):
            raise NoTemplate(f"rehearsal {wanted} kept no template: {_FROM_THE_BEGINNING}")
    try:
        kept = _read(found, now)
        kept_server.require(kept.known, place)
        return kept
    except TemplateRefused as error:
        raise NoTemplate(str(error)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoTemplate(f"the evidence of the template in {found.path} cannot be read ({error}): rehearse from the beginning") from None


def _names(root: str) -> list[str]:
    try:
        return os.listdir(root)
    except OSError:
        return []


def _of(directory: RehearsalDirectory, place: str) -> tuple[str, str]:
    """The dev host and the source of a rehearsal, if its copy was in `place`, where one is named."""
    try:
        rehearsal = directory.read_state()["rehearsal"]
        if place and rehearsal["origin"].get("place", "existing") != place:
            return "", ""
        return str(rehearsal["dev_host"]), str(rehearsal["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _read(directory: RehearsalDirectory, now: datetime.datetime) -> KeptTemplate:
    known: dict[str, Any] = files.read_json(directory.evidence(TEMPLATE))
    if identity.parse_time(known["expires"]) <= now:
        raise NoTemplate(f"the template that rehearsal {known['id']} kept has expired ({known['expires']}): rehearse from the beginning")
    manifest = files.read_json(directory.evidence("manifest.json"))
    rehearsal = directory.read_state()["rehearsal"]
    if "copy" not in known:
        # It is the rehearsal that kept it. One that began with a template itself says what that one had found out.
        copy = files.read_json(directory.evidence("copy.json"))
        told = {key: copy[key] for key in _FOUND_OUT if key in copy}
        of_file = rehearsal["origin"]["source"] == "file"
        known = {
            **known,
            "copy": told,
            "revisions": manifest["revisions"],
            "production_version_num": manifest["server_version_num"],
            "taken_at": manifest["taken_at"],
            "restore_seconds": _restore_seconds(directory),
            "sides": ["dev"] if of_file else rehearsal["sides"],
        }
    evidence: dict[str, Any] = {TEMPLATE: known, "manifest.json": {key: value for key, value in manifest.items() if key != "load"}}
    for what in ("snapshot", "fingerprint"):
        names = [f"{what}-template.json", f"{what}-before.json"]
        path = next((directory.evidence(name) for name in names if os.path.exists(directory.evidence(name))), None)
        if path is None:
            raise FileNotFoundError(f"{EVIDENCE}/{names[1]} is not there")
        evidence[names[0]] = files.read_json(path)
    return KeptTemplate(known, evidence, list(known["sides"]))


def _restore_seconds(directory: RehearsalDirectory) -> float | None:
    stages = files.read_json_lines(directory.evidence(STAGES))
    found = [stage["seconds"] for stage in stages if stage["name"] == "restore" and stage["status"] == "ok"]
    return float(sum(found)) if found else None
