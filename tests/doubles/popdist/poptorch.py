"""Options whose replicas and processes come from poprun, and cannot be set."""

import poptorch
from poptorch import options

import popdist


class _Distributed(options._Distributed):
    def __init__(self) -> None:
        super().__init__()
        self._values.update(processes=popdist.getNumInstances(), process=popdist.getInstanceIndex())

    def disable(self) -> "_Distributed":
        raise RuntimeError("the processes are set by poprun")


class Options(poptorch.Options):
    def __init__(self, ipus_per_replica: int = 1) -> None:
        super().__init__()
        assert type(ipus_per_replica) is int
        self._values["replication_factor"] = popdist.getNumLocalReplicas()
        self._values["ipus_per_replica"] = ipus_per_replica
        object.__setattr__(self, "Distributed", _Distributed())

    def replicationFactor(self, replication_factor: int) -> "Options":
        raise RuntimeError("replicationFactor is set by poprun")

    def useIpuId(self, ipu_id: int) -> "Options":
        raise RuntimeError("the IPU is chosen by poprun")
