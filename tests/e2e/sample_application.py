"""The sample application with a last revision of a test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from playbook import ROOT

_REVISION = '''"""{message}"""
import sqlalchemy as sa
from alembic import op
revision = "{name}"
down_revision = "3bcf125fefbd"
branch_labels = depends_on = None
def upgrade():
    {upgrade}
def downgrade():
    {downgrade}
'''
# The last names of users are not unique.
NOT_UNIQUE = 'op.create_unique_constraint("uq_users_last_name", "users", ["last_name"])'


def with_revision(
    directory: Path, upgrade: str, downgrade: str = "pass", *, name: str = "bad0bad0bad0", message: str = "Make last names unique"
) -> Path:
    """A copy in `directory`, whose last revision executes these."""
    shutil.copytree(ROOT / "examples/staffprobot", directory, ignore=shutil.ignore_patterns("__pycache__"))
    text = _REVISION.format(message=message, name=name, upgrade=upgrade, downgrade=downgrade)
    (directory / "migrations/versions" / f"{name}.py").write_text(text)
    return directory
