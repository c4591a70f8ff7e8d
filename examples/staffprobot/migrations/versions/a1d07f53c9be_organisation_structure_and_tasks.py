"""Add the organisation structure and tasks of time slots

Revision ID: a1d07f53c9be
Revises: 4f8a2c6e1d37
Create Date: 2025-03-27 18:05:12+03:00
"""

import sqlalchemy as sa
from alembic import op

revision = "a1d07f53c9be"
down_revision = "4f8a2c6e1d37"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "org_structure_units",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer()),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("level", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["parent_id"], ["org_structure_units.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_org_structure_units_owner_id", "org_structure_units", ["owner_id"])
    op.create_index("ix_org_structure_units_parent_id", "org_structure_units", ["parent_id"])

    op.add_column("objects", sa.Column("org_unit_id", sa.Integer()))
    op.create_foreign_key("objects_org_unit_id_fkey", "objects", "org_structure_units", ["org_unit_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_objects_org_unit_id", "objects", ["org_unit_id"])

    op.create_table(
        "timeslot_task_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time_slot_id", sa.Integer(), nullable=False),
        sa.Column("task_text", sa.Text(), nullable=False),
        sa.Column("is_mandatory", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("deduction_amount", sa.Numeric(10, 2)),
        sa.Column("display_order", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["time_slot_id"], ["time_slots.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_timeslot_task_templates_time_slot_id", "timeslot_task_templates", ["time_slot_id"])

    op.create_table(
        "task_completions",
        sa.Column("shift_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("task_text", sa.Text(), nullable=False),
        sa.Column("is_done", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("shift_id", "position"),
        sa.ForeignKeyConstraint(["shift_id"], ["shifts.id"], ondelete="CASCADE"),
    )


def downgrade():
    op.drop_table("task_completions")
    op.drop_table("timeslot_task_templates")
    op.drop_index("ix_objects_org_unit_id", table_name="objects")
    op.drop_constraint("objects_org_unit_id_fkey", "objects", type_="foreignkey")
    op.drop_column("objects", "org_unit_id")
    op.drop_table("org_structure_units")
