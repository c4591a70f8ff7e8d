"""What the agent tells of an exception that no server made: the words of the code, never the values that it met."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_errors import describe_error, place_of

NAME, NUMBER = "Ivanov Ivan", "+7916 1234567"


class Broken(Exception):
    def __str__(self) -> str:
        return f"broken by {self.args[0]}"


def no_rate(name: str) -> None:
    raise ValueError("no rate for contract " + name)


def by_format(name: str) -> None:
    raise RuntimeError(f"contract of %s: {3} rows" % name)


def only_a_value(name: str) -> None:
    raise LookupError(name)


def in_a_loop(name: str) -> None:
    for row in [{"contracts": name}]:
        try:
            raise KeyError(row["contracts"])
        except KeyError as error:
            raise RuntimeError(f"row of contracts is bad: {error}") from error


def told(function: Any, *arguments: Any, revision: str | None = "a1") -> str:
    try:
        function(*arguments)
    except BaseException as error:
        return str(describe_error(error, revision, None)["message"])
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (float, NAME, "could not convert string to float: '***'"),
        (int, NUMBER, "invalid literal for int() with base ***: '***'"),
        ({}.__getitem__, NAME, "'***'"),
        (lambda row: row["contract"], {"name": NAME}, "'contract'"),
        (no_rate, NAME, "no rate for contract ***"),
        (by_format, NAME, "contract of *** rows"),
        (only_a_value, NAME, "***"),
        (in_a_loop, NAME, "row of contracts is bad: ***"),
        (lambda value: value.scalar_one, 7, "'int' object has no attribute 'scalar_one'"),
        (bytes.fromhex, NAME, "non-hexadecimal number found in fromhex() arg at position 0"),
    ],
)
def test_a_message_keeps_the_codes_own_words(function: Any, argument: Any, message: str) -> None:
    said = told(function, argument)
    assert said == message
    assert not any(word in said for word in ("Ivan", "7916"))


def test_an_exception_that_says_its_values_itself_tells_none() -> None:
    def fail() -> None:
        raise Broken(NAME)

    assert "Ivan" not in told(fail)


def test_what_ends_the_process_tells_no_value_either() -> None:
    def leave(code: Any) -> None:
        raise SystemExit(code)

    assert told(leave, 3) == "the application ended the process (exit code 3)"
    assert "Ivan" not in told(leave, f"no rate for {NAME}")


def test_outside_the_revisions_a_message_stays_whole() -> None:
    assert told(only_a_value, "the setting 'rates' is missing in config.toml", revision=None) == "the setting 'rates' is missing in config.toml"


@pytest.mark.parametrize(("revision", "place"), [("a1", ("/opt/venv/site-packages/shop/a1.py", 2)), ("b2", (None, None))])
def test_a_revision_of_an_installed_project_has_its_place_told(revision: str, place: tuple[str | None, int | None]) -> None:
    code = compile("def upgrade():\n    helper()\n", "/opt/venv/site-packages/shop/a1.py", "exec")
    installed: dict[str, Any] = {}
    exec(compile("def helper():\n    int('x')\n", "/opt/venv/site-packages/shop/helper.py", "exec"), installed)
    script: dict[str, Any] = {"revision": "a1", "down_revision": None, "helper": installed["helper"]}
    exec(code, script)
    error = None
    try:
        script["upgrade"]()
    except ValueError as raised:
        # The test's own frame is not the application's.
        error = raised.with_traceback(raised.__traceback__.tb_next if raised.__traceback__ else None)
    assert error is not None
    assert place_of(error, revision) == place


def test_a_drivers_own_error_keeps_its_words() -> None:
    class Wrapped(Exception):
        orig = TypeError("cannot adapt 'Ivanov' of 12345 to b'Ivan': server closed the connection")

    assert describe_error(Wrapped(), "a1", "SELECT 1")["message"] == "cannot adapt '***' of *** to '***': server closed the connection"
