"""All cases of the gallery, and the codes that no migration of it can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import altered
import asked
import clocked
import data
import expecting
import failing
import forms
import good
import linted
import locks
import looked_for
import policies
import structure
import told
import way_back
from stand import Case

BAD: list[Case] = [
    *failing.CASES,
    *data.CASES,
    *way_back.CASES,
    *structure.CASES,
    *locks.CASES,
    *expecting.CASES,
    *told.CASES,
    *altered.BAD,
    *forms.BAD,
    *clocked.BAD,
    *policies.BAD,
    *looked_for.BAD,
]
GOOD: list[Case] = [*good.CASES, *altered.GOOD, *forms.GOOD, *clocked.GOOD, *policies.GOOD, *looked_for.GOOD]
ASKED: list[Case] = asked.CASES
LINTED: list[tuple[Case, linted.Answers]] = linted.CASES
ALL: list[Case] = [*BAD, *GOOD, *ASKED, *(case for case, _answers in LINTED)]


def judged() -> Iterator[Case]:
    """All, and what may have been proved in the other way too."""
    for case in ALL:
        yield case
        yield dataclasses.replace(case, proof="changed")


# What is no doing of a migration, and is shown with evidence that was altered: why, and the test that shows it as it happens.
NOT_HERE: dict[str, tuple[str, str]] = {
    "preflight": ("hosts are looked at before there is a copy", "e2e/test_terminal.py::test_json_lines"),
    "hook-failed": ("it is of tasks of the playbook", "e2e/test_other_playbooks.py::test_masking_that_fails_names_its_file_and_reaches_the_end"),
    "smoke-test-failed": ("it is of tasks of the playbook", "e2e/test_other_playbooks.py::test_a_smoke_test_that_fails_is_no_go"),
    "interrupted": ("a controller is interrupted", "e2e/test_interrupt.py::test_an_interrupted_controller"),
    "not-measured": ("a step of the playbook is left out", "e2e/test_other_playbooks.py::test_a_step_that_is_left_out_is_not_measured"),
    "left-behind": ("clean-up needs a host", "e2e/test_interrupt.py::test_a_dev_server_that_is_gone_midway_is_not_a_silent_green"),
    "copy-differs": (
        "the copy is made of production itself",
        "integration/test_unpacking.py::test_a_backup_that_did_not_arrive_as_it_was_taken_is_refused",
    ),
    "copy-not-proved": ("production is there", "e2e/test_ephemeral.py::test_an_existing_backup_needs_no_production"),
    "dump-chosen": ("no way of copying is chosen", "e2e/test_ephemeral.py::test_it_says_why_it_is_no_physical_copy"),
    "parity": ("production and copy are on one server", "e2e/test_disk_and_versions.py::test_a_newer_dev_is_good_enough"),
    "squawk-failed": ("the linter answers", "unit/test_squawk.py::test_where_squawk_did_not_look_the_record_says_so_and_the_verdict_stays"),
}
