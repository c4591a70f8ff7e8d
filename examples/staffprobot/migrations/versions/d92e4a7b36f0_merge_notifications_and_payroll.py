"""Merge notification preferences and payroll approval

Revision ID: d92e4a7b36f0
Revises: 8a5c0e7d942f, c63f1b9e0d85
Create Date: 2025-08-07 19:25:44+03:00
"""

revision = "d92e4a7b36f0"
down_revision = ("8a5c0e7d942f", "c63f1b9e0d85")
branch_labels = None
depends_on = None


def upgrade():
    pass


def downgrade():
    pass
