"""Import shifts from the old time sheets

Revision ID: 7c3e9b05f1a2
Revises: a1d07f53c9be
Create Date: 2025-04-19 09:47:30+03:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "7c3e9b05f1a2"
down_revision = "a1d07f53c9be"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "shift_imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shift_id", sa.Integer()),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("raw", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["shift_id"], ["shifts.id"], ondelete="SET NULL"),
        sa.CheckConstraint("line > 0", name="ck_shift_imports_line"),
        comment="Строки табелей, перенесённых из Excel",
    )
    op.create_index("ix_shift_imports_shift_id", "shift_imports", ["shift_id"])

    op.add_column("objects", sa.Column("legacy_code", sa.String(32)))
    op.create_index("ix_objects_legacy_code", "objects", ["legacy_code"])


def downgrade():
    op.drop_index("ix_objects_legacy_code", table_name="objects")
    op.drop_column("objects", "legacy_code")
    op.drop_table("shift_imports")
