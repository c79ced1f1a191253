"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("machines", "software", "settings", "parameters", "commands"):
        op.create_table(
            name,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("digest", sa.Text, nullable=False, unique=True),
            sa.Column("content", sa.Text, nullable=False),
        )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False, unique=True),
        sa.Column("started_utc", sa.Text, nullable=False),
        sa.Column("added_utc", sa.Text, nullable=False),
        sa.Column("ordered_us", sa.BigInteger, nullable=False),
        sa.Column("machine", sa.Integer, sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("machine_key", sa.Text, nullable=False),
        sa.Column("software", sa.Integer, sa.ForeignKey("software.id"), nullable=False),
        sa.Column("commit_hash", sa.Text),
        sa.Column("dirty", sa.Boolean),
        sa.Column("branch", sa.Text),
        sa.Column("canary", sa.Text, nullable=False),
    )
    op.create_index("runs_in_order", "runs", ["ordered_us", "id"])
    op.create_index("runs_of_commit", "runs", ["commit_hash"])
    op.create_table(
        "variants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("benchmark", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
    )
    op.create_table(
        "metrics",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("variant", sa.Integer, sa.ForeignKey("variants.id"), nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("unit", sa.Text),
        sa.Column("direction", sa.Text),
        sa.Column("reduction", sa.Text, nullable=False),
    )
    op.create_table("run_suites", _of_run(), sa.Column("suite", sa.Text, primary_key=True))
    op.create_table(
        "results",
        _of_run(),
        sa.Column("variant", sa.Integer, sa.ForeignKey("variants.id"), primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("settings", sa.Integer, sa.ForeignKey("settings.id"), nullable=False),
        sa.Column("parameters", sa.Integer, sa.ForeignKey("parameters.id"), nullable=False),
        sa.Column("command", sa.Integer, sa.ForeignKey("commands.id"), nullable=False),
        sa.Column("threshold", sa.Float(53)),
        sa.Column("warnings", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tails",
        _of_run(),
        sa.Column("variant", sa.Integer, sa.ForeignKey("variants.id"), primary_key=True),
        sa.Column("tail", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "figures",
        _of_run(),
        sa.Column("metric", sa.Integer, sa.ForeignKey("metrics.id"), primary_key=True),
        sa.Column("measured", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _of_run() -> "sa.Column[int]":
    return sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
