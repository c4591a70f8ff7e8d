# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse judge` and `rehearse report`: judge kept evidence again, and render a record in any format, without a database."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence_files, files, report_text, reports, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file, policy_file

from migration_rehearsal import exit_codes

RECORD = reports.RECORD
FORMATS = reports.FORMATS
LANGUAGES = words.LANGUAGES
# What `rehearse judge --output` writes; any other format can be had from the record.
_WRITTEN = ("json", "html", "md")


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


def run_judge(directory: Path, expectations: Path | None, policy: Path | None, output: Path | None, language: str = words.ENGLISH) -> int:
    """Judge; print the verdict; with `output`, write the record and its reports there. Returns the exit code."""
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
            for name in _WRITTEN:
                files.write_bytes(str(output / reports.FILES[name]), reports.render(record, name, language).encode("utf-8", "replace"))
            report = str(output / reports.for_people(list(_WRITTEN)))
    except (InputError, expectations_file.ExpectationsError, policy_file.PolicyError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}")
    print(report_text.verdict_block(record, report, language))
    return exit_codes.of_verdicts([record["verdict"]])


def run_report(path: Path, format_: str, output: Path | None = None, language: str = words.ENGLISH, source_root: str = "") -> int:
    """Render a record, to the terminal or into a file."""
    problem = reports.problem_of_source_root(source_root)
    if problem:
        return _refuse(problem)
    try:
        place = path / RECORD if path.is_dir() else path
        record = files.read_json(str(place))
        text = reports.render(record, format_, language, source_root)
        if format_ == "text" and output is None:
            written = reports.beside(str(place.parent)) if place.name == RECORD else []
            best = place.parent / reports.for_people(written) if written else place
            text = report_text.verdict_block(record, str(best), language) + "\n"
        if output is not None:
            files.write_bytes(str(output), text.encode("utf-8", "replace"))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = str(error) if isinstance(error, reports.RecordOfAnotherVersion) else _what(error)
        return _refuse(f"{path} is no record of this version: {what}")
    if output is None:
        _print(text, format_)
    return exit_codes.GO


def _print(text: str, format_: str) -> None:
    """What a person reads as far as the terminal knows its letters; what is sent on to a file or a program whole, as the format is defined."""
    if format_ == "text" or sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()


def _refuse(message: str) -> int:
    print(f"rehearse: {message}", file=sys.stderr)
    return exit_codes.USAGE
