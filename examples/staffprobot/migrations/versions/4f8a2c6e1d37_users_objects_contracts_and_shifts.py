"""Create users, objects, contracts, time slots and shifts

Revision ID: 4f8a2c6e1d37
Revises: None
Create Date: 2025-02-11 10:22:41+03:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "4f8a2c6e1d37"
down_revision = None
branch_labels = None
depends_on = None


def created_at():
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("telegram_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.String(100)),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100)),
        sa.Column("phone", sa.String(20)),
        sa.Column("email", sa.String(255)),
        sa.Column("role", sa.String(20), server_default="employee", nullable=False),
        sa.Column("timezone", sa.String(50), server_default="Europe/Moscow", nullable=False),
        sa.Column("birth_date", sa.Date()),
        sa.Column("settings", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        created_at(),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("telegram_id"),
        comment="Владельцы, управляющие и сотрудники",
    )
    op.create_index("ix_users_email", "users", ["email"])

    op.create_table(
        "objects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("coordinates", sa.String(100), nullable=False),
        sa.Column("timezone", sa.String(50), server_default="Europe/Moscow", nullable=False),
        sa.Column("opening_time", sa.Time(), nullable=False),
        sa.Column("closing_time", sa.Time(), nullable=False),
        sa.Column("hourly_rate", sa.Numeric(10, 2), nullable=False),
        sa.Column("max_distance_m", sa.Integer(), server_default=sa.text("500"), nullable=False),
        sa.Column("shift_tasks", JSONB()),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        created_at(),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_objects_owner_id", "objects", ["owner_id"])

    op.create_table(
        "contract_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer()),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("version", sa.String(20), server_default="1.0", nullable=False),
        sa.Column("fields_schema", JSONB()),
        created_at(),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_contract_templates_owner_id", "contract_templates", ["owner_id"])

    op.create_table(
        "contracts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contract_number", sa.String(50), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Integer(), nullable=False),
        sa.Column("template_id", sa.Integer()),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("hourly_rate", sa.Integer(), comment="Ставка в копейках; NULL: ставка объекта"),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date()),
        sa.Column(
            "status",
            sa.Enum("draft", "active", "suspended", "terminated", name="contract_status"),
            server_default="active",
            nullable=False,
        ),
        sa.Column("allowed_objects", JSONB()),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True)),
        created_at(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("contract_number"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["employee_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["template_id"], ["contract_templates.id"], ondelete="SET NULL"),
        sa.CheckConstraint("end_date IS NULL OR end_date >= start_date", name="ck_contracts_dates"),
    )
    op.create_index("ix_contracts_owner_id", "contracts", ["owner_id"])
    op.create_index("ix_contracts_employee_id", "contracts", ["employee_id"])
    op.create_index("ix_contracts_active_employee", "contracts", ["employee_id"], postgresql_where=sa.text("is_active"))

    op.create_table(
        "time_slots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("slot_date", sa.Date(), nullable=False),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("end_time", sa.Time(), nullable=False),
        sa.Column("hourly_rate", sa.Numeric(10, 2)),
        sa.Column("max_employees", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        created_at(),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_time_slots_object_date", "time_slots", ["object_id", "slot_date"])

    op.create_table(
        "shift_schedules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("time_slot_id", sa.Integer()),
        sa.Column("planned_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(20), server_default="planned", nullable=False),
        sa.Column("notified_at", sa.DateTime(timezone=False)),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["time_slot_id"], ["time_slots.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_shift_schedules_user_id", "shift_schedules", ["user_id"])
    op.create_index("ix_shift_schedules_object_id", "shift_schedules", ["object_id"])

    op.create_table(
        "shifts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("time_slot_id", sa.Integer()),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True)),
        sa.Column("status", sa.String(20), server_default="active", nullable=False),
        sa.Column("start_coordinates", sa.String(100)),
        sa.Column("end_coordinates", sa.String(100)),
        sa.Column("distance_m", sa.Float(53)),
        sa.Column("total_hours", sa.Numeric(5, 2)),
        sa.Column("hourly_rate", sa.Numeric(10, 2)),
        sa.Column("total_payment", sa.Numeric(12, 2)),
        sa.Column("notes", sa.Text()),
        created_at(),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["time_slot_id"], ["time_slots.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_shifts_user_id", "shifts", ["user_id"])
    op.create_index("ix_shifts_object_id", "shifts", ["object_id"])
    op.create_index("ix_shifts_start_time", "shifts", ["start_time"])

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

    # No primary key: the first bot wrote a row for each step of each dialog.
    op.create_table(
        "bot_dialog_states",
        sa.Column("telegram_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(100)),
        sa.Column("data", JSONB()),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.create_index("ix_bot_dialog_states_telegram_id", "bot_dialog_states", ["telegram_id"])


def downgrade():
    for table in (
        "bot_dialog_states",
        "rate_history",
        "shifts",
        "shift_schedules",
        "time_slots",
        "contracts",
        "contract_templates",
        "objects",
        "users",
    ):
        op.drop_table(table)
    op.execute("DROP TYPE contract_status")
