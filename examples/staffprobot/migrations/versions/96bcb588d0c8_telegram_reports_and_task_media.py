"""Add Telegram report chats and media of tasks

Revision ID: 96bcb588d0c8
Revises: b05d9f3e7a61
Create Date: 2025-10-10 17:58:20+03:00
"""

import sqlalchemy as sa
from alembic import op

revision = "96bcb588d0c8"
down_revision = "b05d9f3e7a61"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("objects", sa.Column("telegram_report_chat_id", sa.String(100)))
    op.add_column("objects", sa.Column("inherit_telegram_chat", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_index("ix_objects_telegram_report_chat_id", "objects", ["telegram_report_chat_id"])

    op.add_column("org_structure_units", sa.Column("telegram_report_chat_id", sa.String(100)))
    op.create_index("ix_org_structure_units_telegram_report_chat_id", "org_structure_units", ["telegram_report_chat_id"])

    op.add_column(
        "timeslot_task_templates",
        sa.Column("requires_media", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("timeslot_task_templates", sa.Column("media_types", sa.Text(), server_default="photo,video"))


def downgrade():
    op.drop_column("timeslot_task_templates", "media_types")
    op.drop_column("timeslot_task_templates", "requires_media")
    op.drop_index("ix_org_structure_units_telegram_report_chat_id", table_name="org_structure_units")
    op.drop_column("org_structure_units", "telegram_report_chat_id")
    op.drop_index("ix_objects_telegram_report_chat_id", table_name="objects")
    op.drop_column("objects", "inherit_telegram_chat")
    op.drop_column("objects", "telegram_report_chat_id")
