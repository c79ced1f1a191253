"""Options whose replicas and processes come from poprun, and cannot be set."""

import poptorch

import popdist


class Options(poptorch.Options):
    def __init__(self, ipus_per_replica: int = 1) -> None:
        super().__init__()
        assert type(ipus_per_replica) is int
        self._values["replication_factor"] = popdist.getNumLocalReplicas()
        self._values["ipus_per_replica"] = ipus_per_replica
        self.Distributed._values.update(
            processes=popdist.getNumInstances(), process=popdist.getInstanceIndex()
        )

    def replicationFactor(self, replication_factor: int) -> "Options":
        raise RuntimeError("replicationFactor is set by poprun")

    def useIpuId(self, ipu_id: int) -> "Options":
        raise RuntimeError("the IPU is chosen by poprun")
