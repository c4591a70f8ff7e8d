"""Keep the hourly rates of contracts in roubles

Revision ID: 2e7b5d8c1f46
Revises: d92e4a7b36f0
Create Date: 2025-08-23 14:50:27+03:00
"""

import sqlalchemy as sa
from alembic import op

revision = "2e7b5d8c1f46"
down_revision = "d92e4a7b36f0"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column(
        "contracts",
        "hourly_rate",
        existing_type=sa.Integer(),
        type_=sa.Numeric(10, 2),
        existing_nullable=True,
        postgresql_using="hourly_rate / 100.0",
        comment="Ставка в рублях; NULL: ставка объекта",
        existing_comment="Ставка в копейках; NULL: ставка объекта",
    )


def downgrade():
    op.alter_column(
        "contracts",
        "hourly_rate",
        existing_type=sa.Numeric(10, 2),
        type_=sa.Integer(),
        existing_nullable=True,
        postgresql_using="(hourly_rate * 100)::integer",
        comment="Ставка в копейках; NULL: ставка объекта",
        existing_comment="Ставка в рублях; NULL: ставка объекта",
    )
