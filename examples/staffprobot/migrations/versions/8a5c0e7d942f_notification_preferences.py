"""Let users choose which notifications they get

Revision ID: 8a5c0e7d942f
Revises: 1f6d83b2c5a9
Create Date: 2025-08-05 16:40:19+03:00
"""

import sqlalchemy as sa
from alembic import op

revision = "8a5c0e7d942f"
down_revision = "1f6d83b2c5a9"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("quiet_from", sa.Time()),
        sa.Column("quiet_to", sa.Time()),
        sa.PrimaryKeyConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.execute(
        "INSERT INTO notification_preferences (user_id, enabled, quiet_from, quiet_to) SELECT id, is_active, TIME '22:00', TIME '08:00' FROM users"
    )
    op.add_column("notifications", sa.Column("channel", sa.String(20), server_default="telegram", nullable=False))


def downgrade():
    op.drop_column("notifications", "channel")
    op.drop_table("notification_preferences")
