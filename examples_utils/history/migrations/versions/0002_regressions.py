"""Regressions that nights have reported, and who accepted them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regressions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("machine_key", sa.Text, nullable=False),
        sa.Column("variant", sa.Integer, sa.ForeignKey("variants.id"), nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("first_after", sa.Text, nullable=False),
        sa.Column("last_before", sa.Text),
        sa.Column("ratio", sa.Float(53)),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("called_utc", sa.Text),
        sa.Column("gone_utc", sa.Text),
        sa.Column("accepted_utc", sa.Text),
        sa.Column("accepted_by", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("regressions_of_machine", "regressions", ["machine_key"])
