"""The command line itself: help, examples, exit codes, completion, the program that still says what is missing."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files

from migration_rehearsal import cli, completers, completion_command, doctor_command, exit_codes, open_command, subcommand

ROOT = Path(__file__).resolve().parents[2]


def subcommands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every subcommand with its words, those within others too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield (*words, name), below
                yield from subcommands(below, (*words, name))


COMMANDS = dict(subcommands(cli.parser()))
LEAVES = {words: parser for words, parser in COMMANDS.items() if not any(other[: len(words)] == words and other != words for other in COMMANDS)}


def examples(parser: argparse.ArgumentParser) -> list[str]:
    lines = (parser.epilog or "").split(subcommand.EXAMPLES)[1].splitlines()
    return [line.strip() for line in lines if line.strip().startswith("rehearse ")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_examples_that_can_be_called(words: tuple[str, ...]) -> None:
    found = examples(COMMANDS[words])
    assert found
    for line in found:
        argv = shlex.split(re.split(r" +[>#]", line)[0])[1:]
        assert argv[: len(words)] == list(words), line
        cli.parser().parse_args(argv)


def test_the_examples_of_the_command_itself_can_be_called() -> None:
    for line in examples(cli.parser()):
        cli.parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_says_the_exit_codes(words: tuple[str, ...]) -> None:
    said = COMMANDS[words].format_help()
    assert re.search(r"^  0  ", said, re.MULTILINE) and re.search(r"^  2  ", said, re.MULTILINE)
    if words in (("run",), ("demo",), ("judge",)):
        assert re.search(r"^  1  NO-GO", said, re.MULTILINE) and re.search(r"^  3  INCOMPLETE", said, re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_wrong_usage_is_2_everywhere(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--no-such-option"])
    assert ended.value.code == exit_codes.USAGE


# -- Completion ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion_command.SHELLS)
def test_completion_script_of_each_shell(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "rehearse" in script and {"bash": "complete", "zsh": "compdef", "fish": "complete --command"}[shell] in script


def pressed(line: str, cwd: Path) -> list[str]:
    """What bash offers, asked as its own completion function asks: the script is sourced, and the function called."""
    script = subprocess.run(
        [sys.executable, "-m", "migration_rehearsal.entry", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    words = line.split(" ")
    ask = (
        f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}; COMP_TYPE=9\n"
        '_python_argcomplete rehearse; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    # The program under its own name, whatever this Python has installed.
    programs = cwd / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "rehearse").write_text(f'#!/bin/sh\nexec {sys.executable} -m migration_rehearsal.entry "$@"\n')
    (programs / "rehearse").chmod(0o755)
    paths = os.pathsep.join(str(ROOT / one) for one in ("src", "collections"))
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths}
    done = subprocess.run(["bash", "--norc", "-c", ask], cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return [one.strip() for one in done.stdout.splitlines() if one.strip()]


def test_bash_completes_commands_options_and_rehearsals(tmp_path: Path, record: dict[str, Any]) -> None:
    for id_ in ("20261122-223011-9f3a2c", "20261123-080000-000001"):
        (tmp_path / "rehearsals" / id_).mkdir(parents=True)
        files.write_json(str(tmp_path / "rehearsals" / id_ / "record.json"), {**record, "id": id_})
    assert pressed("rehearse comp", tmp_path) == ["compare", "completion"]
    assert "--report-dir" in pressed("rehearse history --re", tmp_path)
    assert pressed("rehearse compare ", tmp_path)[:3] == ["latest", "20261123-080000-000001", "20261122-223011-9f3a2c"]
    assert pressed("rehearse compare 20261122", tmp_path) == ["20261122-223011-9f3a2c"]


@pytest.mark.parametrize("words", [("report",), ("judge",), ("expectations", "init"), ("again",), ("open",)], ids=" ".join)
def test_whatever_takes_a_rehearsal_completes_its_id(words: tuple[str, ...]) -> None:
    (argument,) = [action for action in LEAVES[words]._actions if not action.option_strings]
    assert argument.completer is completers._rehearsals and argument.default == "latest"


@pytest.mark.parametrize("name", ["latest", "20261122", "20261122-223011-9f3a2c", ""])
def test_a_rehearsal_is_found_by_what_it_is_called(
    reports: Path, record: dict[str, Any], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["report", *filter(None, [name]), "--report-dir", str(reports)]) == 0
    assert capsys.readouterr().out.startswith("GO  prod1/shop")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", *filter(None, [name])]) == 0
    # There is no evidence beside it: it was found, and judged as far as that goes.
    assert cli.main(["judge", *filter(None, [name])]) == exit_codes.USAGE
    assert f"rehearsals/{record['id']} is no evidence" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("report",), ("judge",), ("expectations", "init")], ids=" ".join)
def test_a_rehearsal_that_is_not_there_is_told(words: tuple[str, ...], reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words, "2027", "--report-dir", str(reports)]) == exit_codes.USAGE
    assert f"there is no rehearsal 2027 in {reports}" in capsys.readouterr().err


def test_a_format_for_machines_is_whole_whatever_the_terminal_knows(reports: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in ("src", "collections"))}
    argv = [sys.executable, "-m", "migration_rehearsal.entry", "report", "--report-dir", str(reports), "--language", "ru", "--format"]
    done = subprocess.run([*argv, "md"], env=environment, capture_output=True, check=True)
    assert "Ожидаемый простой" in done.stdout.decode()


# -- Open ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reports(tmp_path: Path, record: dict[str, Any]) -> Path:
    place = tmp_path / "rehearsals" / record["id"]
    place.mkdir(parents=True)
    files.write_json(str(place / "record.json"), record)
    (place / "report.md").write_text("# GO\n")
    (place.parent / "latest").symlink_to(record["id"])
    return place.parent


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open; there is a display."""
    found: list[str] = []
    monkeypatch.setattr(open_command.webbrowser, "open", lambda address: found.append(address) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def test_open_shows_the_newest_page_in_a_browser(
    reports: Path, opened: list[str], record: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    page = reports / record["id"] / "report.html"
    page.write_text("<!doctype html>")
    assert cli.main(["open", "--report-dir", str(reports)]) == 0
    assert opened == [page.as_uri()] and capsys.readouterr().out == f"{page}\n"
    assert cli.main(["open", "--report-dir", str(reports), "--print", record["id"][:8]]) == 0
    assert len(opened) == 1 and capsys.readouterr().out == f"{page}\n"


def test_open_prints_the_path_without_a_display(
    reports: Path, opened: list[str], record: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    page = reports / record["id"] / "report.html"
    page.write_text("<!doctype html>")
    assert cli.main(["open", "--report-dir", str(reports)]) == 0
    assert opened == [] and capsys.readouterr().out == f"{page}\n"


def test_open_is_text_where_there_is_no_page(reports: Path, opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["open", "--report-dir", str(reports)]) == 0
    said = capsys.readouterr().out
    assert opened == [] and said.startswith("GO  prod1/shop") and "report.md" in said


def test_open_says_what_it_did_not_find(tmp_path: Path, reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["open", "2019", "--report-dir", str(reports)]) == exit_codes.USAGE
    assert "there is no rehearsal 2019" in capsys.readouterr().err
    (reports / "20261122-223011-000000").mkdir()
    assert cli.main(["open", "20261122", "--report-dir", str(reports)]) == exit_codes.USAGE
    assert "is the beginning of 2 rehearsals" in capsys.readouterr().err


# -- Doctor --------------------------------------------------------------------------------------------------------------------


def test_without_its_libraries_the_command_says_so_and_doctor_still_works(tmp_path: Path) -> None:
    """A Python that has this package and nothing else."""
    paths = os.pathsep.join(str(ROOT / one) for one in ("src", "collections"))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}

    def bare(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-S", "-c", "import sys; from migration_rehearsal.entry import main; sys.exit(main())", *words]
        return subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    run = bare("run", "-i", "x")
    assert run.returncode == exit_codes.INCOMPLETE and "cannot start: No module named" in run.stderr and "rehearse doctor" in run.stderr
    doctor = bare("doctor")
    assert doctor.returncode == exit_codes.INCOMPLETE, doctor.stderr
    assert "✘ libraries" in doctor.stdout and "-m pip install migration-rehearsal" in doctor.stdout


def test_a_version_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_command, "_installed", lambda name: {"rich": "12.0", "jmespath": None}.get(name, "99"))
    found = {one.name: one for one in doctor_command._libraries()}
    assert (found["rich"].status, found["rich"].text) == ("problem", "12.0 is too old (>=13 is needed)")
    assert found["jmespath"].status == "problem" and "pip install 'jmespath" in found["jmespath"].advice
    assert found["ansible-core"].status == "fine"


def test_a_report_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor_command._report_directory(tmp_path / "new" / "deep").status == "fine"
    assert doctor_command._report_directory(tmp_path / "file" / "below").status == "problem"


# -- The page ------------------------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs/command.md").read_text()


def test_the_page_has_every_command() -> None:
    table = PAGE.split("## Exit codes")[0]
    assert {words[0] for words in COMMANDS} == set(re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))))


def test_the_page_has_the_exit_codes() -> None:
    found = re.findall(r"^\| (\d) \| ([A-Za-z-]+)", PAGE, re.MULTILINE)
    assert found == [
        (str(exit_codes.GO), "GO"),
        (str(exit_codes.NO_GO), "NO-GO"),
        (str(exit_codes.USAGE), "wrong"),
        (str(exit_codes.INCOMPLETE), "INCOMPLETE"),
    ]
