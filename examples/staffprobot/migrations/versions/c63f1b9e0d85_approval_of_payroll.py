"""Approve payroll before it is paid

Revision ID: c63f1b9e0d85
Revises: 1f6d83b2c5a9
Create Date: 2025-08-07 11:02:36+03:00
"""

import sqlalchemy as sa
from alembic import op

revision = "c63f1b9e0d85"
down_revision = "1f6d83b2c5a9"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("payroll_entries", sa.Column("approval_status", sa.String(20), server_default="draft", nullable=False))
    op.add_column("payroll_entries", sa.Column("approved_by_id", sa.Integer()))
    op.add_column("payroll_entries", sa.Column("approved_at", sa.DateTime(timezone=True)))
    op.create_foreign_key(
        "payroll_entries_approved_by_id_fkey",
        "payroll_entries",
        "users",
        ["approved_by_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_check_constraint("ck_payroll_entries_hours", "payroll_entries", "hours_worked >= 0")
    # What has been paid needs no approval any more.
    op.execute("UPDATE payroll_entries SET approval_status = 'approved' WHERE id IN (SELECT payroll_entry_id FROM employee_payments)")
    op.create_index("ix_payroll_entries_approval_status", "payroll_entries", ["approval_status"])


def downgrade():
    op.drop_index("ix_payroll_entries_approval_status", table_name="payroll_entries")
    op.drop_constraint("ck_payroll_entries_hours", "payroll_entries", type_="check")
    op.drop_constraint("payroll_entries_approved_by_id_fkey", "payroll_entries", type_="foreignkey")
    op.drop_column("payroll_entries", "approved_at")
    op.drop_column("payroll_entries", "approved_by_id")
    op.drop_column("payroll_entries", "approval_status")
