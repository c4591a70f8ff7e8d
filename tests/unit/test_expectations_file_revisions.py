"""Revisions and the way back in the expectations file: what YAML takes for something else is not taken for a revision."""

from __future__ import annotations

import pytest
from expectations_reader import error, read


@pytest.mark.parametrize(
    ("text", "revisions"),
    [
        ("3bcf125fefbd", ("3bcf125fefbd",)),
        ("[a, b]", ("a", "b")),
        ("'96588'", ("96588",)),
        ('"1e5"', ("1e5",)),
        ("96bcb588d0c8", ("96bcb588d0c8",)),
        ("add_openings_2025", ("add_openings_2025",)),
        ("'yes'", ("yes",)),
    ],
)
def test_revision(text: str, revisions: tuple[str, ...]) -> None:
    assert read(f"revision: {text}").revision == revisions


@pytest.mark.parametrize("text", ["96588", "1e5", "12e456789012", "0123", "1_000", "1.5", "+5", "[a, 96588]"])
def test_a_revision_that_reads_as_a_number_must_be_quoted(text: str) -> None:
    number = text.strip("[]").split(", ")[-1]
    assert error(f"\nrevision: {text}") == f"x.yml:2: revision {number} reads as a number — put it in quotes: '{number}'"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "yes",
            "revision is yes, which YAML reads as true or false — a revision is text as in the migration's file, such as 3bcf125fefbd, in quotes",
        ),
        ("2025-10-12", "revision is 2025-10-12, which YAML reads as a date"),
        ("0x1F", "revision is 0x1F, which YAML reads as a number"),
        ("1:30", "revision is 1:30, which YAML reads as a number"),
        ("", "revision is nothing"),
        ("''", "revision is empty"),
        ("{a: b}", "revision is a mapping"),
        ("[]", "revision is an empty list"),
        ("[[a]]", "revision is a list"),
        ("head", '"head" is not a revision'),
        ("a@head", '"a@head" cannot be a revision'),
        ("a-1", '"a-1" cannot be a revision'),
        ("a b", '"a b" cannot be a revision'),
        ("!vault abc", 'the tag "!vault" — write the value without a tag'),
        ("!!str 5", 'the tag "!!str"'),
        ("=", "revision is =, which YAML reads as a special mark"),
    ],
)
def test_what_is_no_revision(text: str, what: str) -> None:
    assert error(f"revision: {text}").startswith(f"x.yml:1: {what}")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("production", "production"),
        ("-2", "-2"),
        ("'-2'", "-2"),
        ("base", "base"),
        ("3bcf125fefbd", "3bcf125fefbd"),
        ("'96588'", "96588"),
        ("introduction", "introduction"),
    ],
)
def test_downgrade_to(text: str, target: str) -> None:
    assert read(f"downgrade_to: {text}").downgrade_to == target


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Production", 'downgrade_to is "Production"; did you mean "production"? — production (its revision), a number of steps such as -2'),
        ("prod", 'downgrade_to is "prod"; did you mean "production"?'),
        ("productoin", 'downgrade_to is "productoin"; did you mean "production"?'),
        ("head", 'downgrade_to is "head"'),
        ("+1", "downgrade_to +1 reads as a number"),
        ("'+1'", 'downgrade_to is "+1"'),
        ("a-1", 'downgrade_to is "a-1"'),
        ("-0", "downgrade_to -0 reads as a number"),
        ("2", "downgrade_to 2 reads as a number"),
        ("[a]", "downgrade_to is a list"),
        ("", "downgrade_to is nothing"),
    ],
)
def test_bad_downgrade_to(text: str, what: str) -> None:
    assert error(f"downgrade_to: {text}").startswith(f"x.yml:1: {what}")
