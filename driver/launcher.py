"""What the launcher of the processes says about replicas."""

from __future__ import annotations

from backends.poprun import poprun_instance
from measurement.ipu import LaunchedReplicas


def launched_replicas(device_kind: str) -> LaunchedReplicas | None:
    """The replicas that poprun gave this run and this process; None on other devices and without poprun."""
    instance = poprun_instance() if device_kind == "ipu" else None
    return LaunchedReplicas(instance.total_replicas, instance.local_replicas) if instance else None
