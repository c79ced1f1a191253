"""A strict double of popdist: a run of several processes as this environment describes it.

POPDIST_INSTANCE_INDEX       0 to the number of instances - 1
POPDIST_NUM_INSTANCES        processes
POPDIST_NUM_TOTAL_REPLICAS   replicas of all of them, shared evenly
The names are the double's own: those of the real one are between it and poprun.
"""

import os

_state = {"initialised": False}


def isPopdistEnvSet() -> bool:
    return "POPDIST_NUM_INSTANCES" in os.environ


def init() -> None:
    assert isPopdistEnvSet(), "popdist.init() outside of poprun"
    assert not _state["initialised"], "popdist.init() called twice"
    _state["initialised"] = True


def getInstanceIndex() -> int:
    return _number("POPDIST_INSTANCE_INDEX")


def getNumInstances() -> int:
    return _number("POPDIST_NUM_INSTANCES")


def getNumTotalReplicas() -> int:
    return _number("POPDIST_NUM_TOTAL_REPLICAS")


def getNumLocalReplicas() -> int:
    assert getNumTotalReplicas() % getNumInstances() == 0
    return getNumTotalReplicas() // getNumInstances()


def _number(name: str) -> int:
    return int(os.environ[name])
