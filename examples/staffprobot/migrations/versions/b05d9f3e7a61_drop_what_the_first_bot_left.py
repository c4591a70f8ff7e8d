"""Drop what the first bot and the import left behind

Revision ID: b05d9f3e7a61
Revises: 2e7b5d8c1f46
Create Date: 2025-09-16 08:33:01+03:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "b05d9f3e7a61"
down_revision = "2e7b5d8c1f46"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_index("ix_objects_legacy_code", table_name="objects")
    op.drop_column("objects", "legacy_code")
    op.drop_table("shift_imports")
    op.drop_table("bot_dialog_states")
    op.drop_table("rate_history")


def downgrade():
    # The tables and the column come back empty: their rows are only in the backup.
    op.create_table(
        "rate_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("rate_kopecks", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("user_id", "valid_from", name="uq_rate_history_user_date"),
    )
    op.create_table(
        "bot_dialog_states",
        sa.Column("telegram_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(100)),
        sa.Column("data", JSONB()),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.create_index("ix_bot_dialog_states_telegram_id", "bot_dialog_states", ["telegram_id"])
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
