# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SARIF report: findings at the file and line of the revision that they come from, for code scanning and editors."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES, Code
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import clean
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record, source
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

_LEVELS = {"blocker": "error", "warning": "warning", "info": "note"}
# As GitHub calls the root of the repository; paths are relative to it.
_ROOT = "%SRCROOT%"
# Where Alembic's configuration is unless the inventory says something else.
_CONFIG = "alembic.ini"


def sarif(record: Record, language: str = ENGLISH, source_root: str = "") -> str:
    """A log of version 2.1.0 with one run. `source_root`: the application's working directory as the repository has it; "" where it is the root.

    What no revision is to blame for stands at the project's Alembic configuration: code scanning refuses a whole file for one result without a file.
    """
    say = Speaker(language)
    prefix = f"{source_root.strip('/')}/" if source_root.strip("/.") else ""
    config = record["application"].get("config") or _CONFIG
    used = list(dict.fromkeys(finding["code"] for finding in record["findings"]))
    run: Dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "migrations.rehearsal",
                "language": language,
                "rules": [_rule(code, CODES.get(code), say) for code in used],
            }
        },
        "automationDetails": {"id": clean(f"rehearsal/{source(record)}/{record['id']}")},
        "invocations": [
            {
                # The rehearsal was carried out, whatever it found.
                "executionSuccessful": record["verdict"] != "INCOMPLETE",
                "startTimeUtc": record["started_at"],
                "endTimeUtc": record["finished_at"],
                "properties": {"verdict": record["verdict"]},
            }
        ],
        "originalUriBaseIds": {_ROOT: {"description": {"text": say("The root of the application's repository")}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, used, _place(finding, config, prefix), say) for finding in record["findings"]],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _rule(code: str, known: Optional[Code], say: Speaker) -> Dict[str, Any]:
    # A record of a later version may have codes that are not known here.
    if known is None:
        return {"id": code}
    return {
        "id": code,
        "name": "".join(part.capitalize() for part in code.split("-")),
        "shortDescription": {"text": say.word(known.title)},
        "fullDescription": {"text": say.word(known.meaning)},
        "help": {"text": say.word(known.advice)},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _place(finding: Mapping[str, Any], config: str, prefix: str) -> Dict[str, Any]:
    file = finding.get("file") or config
    line = (finding.get("line") or 1) if finding.get("file") else 1
    artifact = {"uri": _uri(file)} if file.startswith("/") else {"uri": _uri(prefix + file), "uriBaseId": _ROOT}
    return {"artifactLocation": artifact, "region": {"startLine": line}}


def _result(finding: Mapping[str, Any], used: List[str], place: Mapping[str, Any], say: Speaker) -> Dict[str, Any]:
    result: Dict[str, Any] = {
        "ruleId": finding["code"],
        "ruleIndex": used.index(finding["code"]),
        "level": _LEVELS[finding["severity"]],
        "message": {"text": clean(" → ".join(filter(None, (say.of(finding, "message"), say.word(finding["advice"])))))},
        # The same finding in the next rehearsal is not a new one.
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
        "properties": {"stage": finding["stage"]},
    }
    location: Dict[str, Any] = {"physicalLocation": place}
    if finding["object"]:
        location["logicalLocations"] = [{"fullyQualifiedName": clean(finding["object"])}]
    result["locations"] = [location]
    accepted = finding.get("accepted")
    if accepted and not accepted["expired"]:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": clean(accepted["reason"])}]
    return result


def _fingerprint(finding: Mapping[str, Any]) -> str:
    said = "\0".join([finding["code"], finding["stage"], finding["object"], finding.get("revision") or ""])
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def _uri(path: str) -> str:
    uri = urllib.parse.quote(clean(path).replace("\\", "/"))
    return f"file://{uri}" if uri.startswith("/") else uri
