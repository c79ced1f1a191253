"""The place of this process in a run of poprun, the launcher of the Poplar SDK."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec


@dataclass(frozen=True)
class PoprunInstance:
    """This process is number `index` of `count`; the model's replicas are distributed over all of them."""

    index: int
    count: int
    local_replicas: int
    total_replicas: int


@lru_cache(maxsize=1)
def poprun_instance() -> PoprunInstance | None:
    """The instance that this process is; None outside poprun. Initialises popdist once.

    Raises whatever the import of popdist raises, if its variables show that poprun started this process.
    """
    if find_spec("popdist") is None:
        return None
    try:
        import popdist
    except (ImportError, AssertionError, OSError):
        if any(name.startswith("POPDIST_") for name in os.environ):
            raise
        return None  # an incomplete SDK is no obstacle to an ordinary run

    if not popdist.isPopdistEnvSet():
        return None
    popdist.init()
    return PoprunInstance(
        index=popdist.getInstanceIndex(),
        count=popdist.getNumInstances(),
        local_replicas=popdist.getNumLocalReplicas(),
        total_replicas=popdist.getNumTotalReplicas(),
    )
