"""Add openings of objects and late starts

Revision ID: 3bcf125fefbd
Revises: 96bcb588d0c8
Create Date: 2025-10-11 23:14:09+03:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "3bcf125fefbd"
down_revision = "96bcb588d0c8"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "object_openings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_coordinates", sa.String(100)),
        sa.Column("closed_by", sa.Integer()),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("close_coordinates", sa.String(100)),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["opened_by"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["closed_by"], ["users.id"], ondelete="SET NULL"),
    )
    for column in ("object_id", "opened_by", "opened_at", "closed_by", "closed_at"):
        op.create_index(f"ix_object_openings_{column}", "object_openings", [column])

    op.add_column("time_slots", sa.Column("penalize_late_start", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("time_slots", sa.Column("ignore_object_tasks", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("time_slots", sa.Column("shift_tasks", JSONB()))

    op.add_column("shifts", sa.Column("planned_start", sa.DateTime(timezone=True)))
    op.add_column("shifts", sa.Column("actual_start", sa.DateTime(timezone=True)))
    op.create_index("ix_shifts_planned_start", "shifts", ["planned_start"])
    op.create_index("ix_shifts_actual_start", "shifts", ["actual_start"])


def downgrade():
    op.drop_index("ix_shifts_actual_start", table_name="shifts")
    op.drop_index("ix_shifts_planned_start", table_name="shifts")
    op.drop_column("shifts", "actual_start")
    op.drop_column("shifts", "planned_start")
    op.drop_column("time_slots", "shift_tasks")
    op.drop_column("time_slots", "ignore_object_tasks")
    op.drop_column("time_slots", "penalize_late_start")
    op.drop_table("object_openings")
