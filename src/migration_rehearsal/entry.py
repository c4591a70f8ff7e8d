# SPDX-License-Identifier: GPL-3.0-or-later
"""The program `rehearse`: starts the command, and can still say what is missing where that cannot be loaded."""

from __future__ import annotations

import sys

INCOMPLETE = 3


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        from migration_rehearsal import cli
    except ImportError as error:
        if sys.argv[1:2] == ["doctor"]:
            return _doctor()
        print(f"rehearse: cannot start: {error}; see what is missing: rehearse doctor", file=sys.stderr)
        return INCOMPLETE
    return cli.main()


def _doctor() -> int:
    """`rehearse doctor` needs nothing but Python and this package."""
    import argparse

    from migration_rehearsal import doctor_command

    top = argparse.ArgumentParser(prog="rehearse")
    doctor_command.add(top.add_subparsers(required=True))
    given = top.parse_args()
    code: int = given.action(given)
    return code


if __name__ == "__main__":
    sys.exit(main())
