"""Parts of a rehearsal that do what a test wants: one of PostgreSQL's programs, a revision of the application."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playbook import Demo

REVISION = '''"""Hold on.

Revision ID: 0123456789ab
Revises: 3bcf125fefbd
"""

import os
import signal
from alembic import op

revision, down_revision, branch_labels, depends_on = "0123456789ab", "3bcf125fefbd", None, None


def upgrade():
    op.execute("CREATE TABLE held (id int)")
    {what}


def downgrade():
    op.execute("DROP TABLE held")
'''


def application_with(demo: Demo, place: Path, what: str) -> dict[str, Any]:
    """The sample application with one more revision, which does `what` in the middle."""
    project = place / "application"
    shutil.copytree(demo.state.application, project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "migrations/versions/0123456789ab_hold.py").write_text(REVISION.format(what=what))
    return demo.application(chdir=str(project))


def programs_with(demo: Demo, place: Path, side: str, scripts: Mapping[str, str]) -> dict[str, Any]:
    """rehearsal_postgres with some of PostgreSQL's programs replaced by scripts; `$REAL` is the real one."""
    binaries = demo.cluster(side).bin_dir
    directory = place / f"{side}-programs"
    directory.mkdir(parents=True)
    for name in ("psql", "pg_dump", "pg_restore"):
        if name not in scripts:
            (directory / name).symlink_to(binaries / name)
            continue
        # Asked for its version, or what an archive holds, it is the real one.
        head = f'#!/bin/sh\nREAL="{binaries}/{name}"\ncase "$1" in --version|-V|--list) exec "$REAL" "$@";; esac\n'
        (directory / name).write_text(f"{head}{scripts[name]}\n")
        (directory / name).chmod(0o755)
    return demo.postgres(side, bin_dir=str(directory))
