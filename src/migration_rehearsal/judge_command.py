# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse judge` and `rehearse report`: judge kept evidence again, and render a record, without a database."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence_files, files, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file, policy_file

from migration_rehearsal import exit_codes

RECORD = "record.json"
REPORT = "report.md"
FORMATS = ("text", "md", "json")


class InputError(Exception):
    """What was given cannot be used. The message says what is wrong with which file."""


def evidence_directory(directory: Path) -> Path:
    """The directory that holds the evidence: the given one, or `evidence` in a rehearsal's own."""
    inner = directory / "evidence"
    return inner if (inner / "context.json").exists() or (inner.is_dir() and not (directory / "context.json").exists()) else directory


def load_evidence(directory: Path) -> Evidence:
    """Raises InputError for what is not there or damaged."""
    place = evidence_directory(directory)
    if not place.is_dir():
        raise InputError(f"there is no directory {place}")
    try:
        return evidence_files.load(str(place))
    except FileNotFoundError as error:
        raise InputError(f"{place} is no evidence of a rehearsal: it has no {Path(error.filename).name}") from error
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{place}: expectations.json or policy.json is damaged, or of another version ({_what(error)})") from error
    except ValueError as error:
        raise InputError(str(error)) from error


def record_of(evidence: Evidence) -> dict[str, Any]:
    """The judge's record. Raises InputError where a file has another shape than the judge knows."""
    try:
        return judge(evidence, assertions.evaluate)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InputError(f"the evidence is damaged, or of another version: {_what(error)}") from error


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def run_judge(directory: Path, expectations: Path | None, policy: Path | None, output: Path | None) -> int:
    """Judge; print the verdict; with `output`, write the record and the report there. Returns the exit code."""
    try:
        evidence = load_evidence(directory)
        if expectations is not None:
            kept = tuple(name for name in evidence.missing if name != "expectations.json")
            evidence = dataclasses.replace(evidence, expectations=expectations_file.load(str(expectations)), missing=kept)
        if policy is not None:
            kept = tuple(name for name in evidence.missing if name != "policy.json")
            evidence = dataclasses.replace(evidence, policy=policy_file.load(str(policy)), missing=kept)
        record = record_of(evidence)
        report = "not written (--output DIR)"
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            files.write_json(str(output / RECORD), record)
            files.write_bytes(str(output / REPORT), report_text.markdown(record).encode())
            report = str(output / REPORT)
    except (InputError, expectations_file.ExpectationsError, policy_file.PolicyError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}")
    print(report_text.verdict_block(record, report))
    return exit_codes.of_verdicts([record["verdict"]])


def run_report(path: Path, format_: str) -> int:
    """Print a record as text, Markdown or JSON."""
    try:
        place = path / RECORD if path.is_dir() else path
        record = files.read_json(str(place))
        if format_ == "md":
            text = report_text.markdown(record)
        elif format_ == "json":
            text = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        else:
            text = report_text.verdict_block(record, str(place)) + "\n"
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return _refuse(f"{path} is no record of this version: {_what(error)}")
    sys.stdout.write(text)
    return exit_codes.GO


def _refuse(message: str) -> int:
    print(f"rehearse: {message}", file=sys.stderr)
    return exit_codes.USAGE
