"""Add payroll

Revision ID: 5b96e2d4a708
Revises: 7c3e9b05f1a2
Create Date: 2025-06-02 21:13:55+03:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "5b96e2d4a708"
down_revision = "7c3e9b05f1a2"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "payment_systems",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("settings", JSONB()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "payment_schedules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("frequency", sa.String(20), nullable=False),
        sa.Column("payment_day", sa.SmallInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_payment_schedules_owner_id", "payment_schedules", ["owner_id"])

    op.add_column("contracts", sa.Column("payment_system_id", sa.Integer()))
    op.create_foreign_key(
        "contracts_payment_system_id_fkey",
        "contracts",
        "payment_systems",
        ["payment_system_id"],
        ["id"],
        ondelete="SET NULL",
    )

    op.create_table(
        "payroll_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Integer(), nullable=False),
        sa.Column("contract_id", sa.Integer(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("hours_worked", sa.Numeric(7, 2), nullable=False),
        sa.Column("gross_amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("net_amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("calculation", JSONB()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["employee_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contract_id"], ["contracts.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("contract_id", "period_start", name="uq_payroll_entries_contract_period"),
    )
    op.create_index("ix_payroll_entries_employee_id", "payroll_entries", ["employee_id"])

    op.create_table(
        "payroll_adjustments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("payroll_entry_id", sa.Integer(), nullable=False),
        sa.Column("shift_id", sa.Integer()),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["payroll_entry_id"], ["payroll_entries.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shift_id"], ["shifts.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_payroll_adjustments_payroll_entry_id", "payroll_adjustments", ["payroll_entry_id"])
    op.create_index("ix_payroll_adjustments_shift_id", "payroll_adjustments", ["shift_id"])

    op.create_table(
        "employee_payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("payroll_entry_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(30), nullable=False),
        sa.Column("details", JSONB()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["payroll_entry_id"], ["payroll_entries.id"], ondelete="RESTRICT"),
    )
    op.create_index("ix_employee_payments_payroll_entry_id", "employee_payments", ["payroll_entry_id"])


def downgrade():
    op.drop_table("employee_payments")
    op.drop_table("payroll_adjustments")
    op.drop_table("payroll_entries")
    op.drop_constraint("contracts_payment_system_id_fkey", "contracts", type_="foreignkey")
    op.drop_column("contracts", "payment_system_id")
    op.drop_table("payment_schedules")
    op.drop_table("payment_systems")
