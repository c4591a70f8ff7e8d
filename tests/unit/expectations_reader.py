"""Expectations as a text tells them, and what is said of a text that tells none."""

from __future__ import annotations

import textwrap

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.expectations_file import ExpectationsError, parse


def read(text: str) -> Expectations:
    return parse(textwrap.dedent(text), "x.yml")


def errors(text: str) -> list[str]:
    with pytest.raises(ExpectationsError) as caught:
        read(text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def error(text: str) -> str:
    """The only error."""
    found = errors(text)
    assert len(found) == 1, found
    return found[0]
