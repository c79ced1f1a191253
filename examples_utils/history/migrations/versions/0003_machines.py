"""Names and joins of machines; the keys of machines no longer depend on the version of the kernel."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GIB = 2**30


def upgrade() -> None:
    op.create_table(
        "known_machines",
        sa.Column("machine_key", sa.Text, primary_key=True),
        sa.Column("joined_key", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
    )
    machines = sa.table("machines", sa.column("id", sa.Integer), sa.column("content", sa.Text))
    runs = sa.table("runs", sa.column("machine", sa.Integer), sa.column("machine_key", sa.Text))
    regressions = sa.table("regressions", sa.column("machine_key", sa.Text))
    connection = op.get_bind()
    for number, content in connection.execute(sa.select(machines.c.id, machines.c.content)).all():
        key, of_machine = _key(_decoded(content)), runs.c.machine == number
        for old in (
            connection.execute(sa.select(runs.c.machine_key).where(of_machine).distinct()).scalars().all()
        ):
            same = regressions.c.machine_key == old
            connection.execute(sa.update(regressions).where(same).values(machine_key=key))
        connection.execute(sa.update(runs).where(of_machine).values(machine_key=key))


def _decoded(content: str) -> dict[str, Any]:
    """JSON escapes all but backslashes, which the history doubles."""
    return dict(json.loads(content.replace("\\\\", "\\")))


def _key(machine: dict[str, Any]) -> str:
    """As `fingerprint.machine_key` was in this version."""
    apart = ("hostname", "cpu_name", "memory_bytes", "kernel", "microcode", "drivers")
    facts = {name: fact for name, fact in machine.items() if name not in apart}
    usable = machine.get("memory_bytes")
    if "memory_installed_bytes" not in facts and usable is not None:
        whole = isinstance(usable, int) and usable > GIB
        facts["memory_installed_bytes"] = round(usable / GIB) * GIB if whole else usable
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
