"""Detects, from the environment, the launcher that started this process as one of many."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from driver.instances.errors import LaunchError

LOOPBACK = "127.0.0.1"
DERIVED_PORTS = range(20_000, 30_000)
"""Below the range of ephemeral ports of Linux and other systems."""


@dataclass(frozen=True)
class Launch:
    """This process among `count`, with `index` from 0.

    `one_host`: all are known to run on this host. `job`: a name that only they share; empty if the launcher gives none.
    `address`, `port`: of instance 0. `launcher_store`: the launcher itself serves a torch.distributed store there.
    """

    launcher: str
    index: int
    count: int
    one_host: bool
    job: str
    address: str
    port: int
    launcher_store: bool = False


def detect(environment: Mapping[str, str]) -> Launch | None:
    """The launch that `environment` describes; None for an ordinary run, and for a single process.

    RANK and WORLD_SIZE, set by torchrun or by hand, override the variables of mpirun or srun around them.
    Raises `LaunchError` if the variables contradict each other or are not numbers.
    """
    launch = _torch(environment) or _open_mpi(environment) or _slurm(environment)
    return launch if launch and launch.count > 1 else None


def under_poprun(environment: Mapping[str, str]) -> bool:
    """Whether poprun started this process. Only popdist knows its index and the count."""
    return any(name.startswith("POPDIST_") for name in environment)


def _torch(environment: Mapping[str, str]) -> Launch | None:
    given = {"RANK", "WORLD_SIZE"} & set(environment)
    # Batch scripts export WORLD_SIZE for all tasks and leave the rank to mpirun or srun.
    ranked_by_others = "OMPI_COMM_WORLD_RANK" in environment or _in_slurm_step(environment)
    if not given or (len(given) == 1 and (ranked_by_others or environment.get("WORLD_SIZE") == "1")):
        return None
    index, count = _place(environment, "RANK", "WORLD_SIZE")
    torchrun = "TORCHELASTIC_RUN_ID" in environment
    address, port = environment.get("MASTER_ADDR"), _port(environment)
    if count > 1 and (address is None or port is None):
        missing = "MASTER_ADDR" if address is None else "MASTER_PORT"
        raise LaunchError(
            f"RANK and WORLD_SIZE are set, and {missing} is not: set MASTER_ADDR to the host of RANK 0 "
            "(127.0.0.1 if all run on this one) and MASTER_PORT to a free port there, the same for all"
        )
    local = _number(environment, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environment else None
    loopback = address is not None and (
        address == "localhost" or address.startswith("127.") or address == "::1"
    )
    return Launch(
        launcher="torchrun" if torchrun else "RANK/WORLD_SIZE",
        index=index,
        count=count,
        one_host=local == count or loopback,
        job=f"{environment['TORCHELASTIC_RUN_ID']} {environment.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        if torchrun
        else "",
        address=address or LOOPBACK,
        port=port or 0,
        launcher_store=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


def _open_mpi(environment: Mapping[str, str]) -> Launch | None:
    if not {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"} & set(environment):
        return None
    index, count = _place(environment, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
    one_host = _number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE") == count
    job = environment.get("PMIX_NAMESPACE") or environment.get("OMPI_MCA_ess_base_jobid") or ""
    address, port = environment.get("MASTER_ADDR"), _port(environment)
    if count > 1 and address is None and not (one_host and (job or port)):
        raise LaunchError(
            "MASTER_ADDR is not set, and mpirun does not report where instance 1 runs: add "
            "-x MASTER_ADDR=HOST -x MASTER_PORT=29500 to mpirun, with the first host of its list"
        )
    return _reachable("mpirun", index, count, one_host, job, address, port)


def _slurm(environment: Mapping[str, str]) -> Launch | None:
    # The shells of sbatch and salloc also have SLURM_PROCID and SLURM_NTASKS, but are one process.
    if not _in_slurm_step(environment):
        return None
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    index, count = _place(environment, "SLURM_PROCID", tasks)
    nodes = "SLURM_STEP_NUM_NODES" if "SLURM_STEP_NUM_NODES" in environment else "SLURM_NNODES"
    one_host = nodes in environment and _number(environment, nodes) == 1
    job = f"slurm {environment.get('SLURM_JOB_ID', '')}.{environment['SLURM_STEP_ID']}"
    address, port = environment.get("MASTER_ADDR"), _port(environment)
    if count > 1 and address is None and not one_host:
        node_list = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST")
        if not node_list:
            raise LaunchError(
                "MASTER_ADDR is not set, and Slurm gives no SLURM_STEP_NODELIST: export MASTER_ADDR (the first "
                "host of the job) and MASTER_PORT before srun"
            )
        address = first_host(node_list)
    return _reachable("srun", index, count, one_host, job, address, port)


def _in_slurm_step(environment: Mapping[str, str]) -> bool:
    return "SLURM_PROCID" in environment and "SLURM_STEP_ID" in environment


def _reachable(
    launcher: str, index: int, count: int, one_host: bool, job: str, address: str | None, port: int | None
) -> Launch:
    return Launch(launcher, index, count, one_host, job, address or LOOPBACK, port or derived_port(job))


def derived_port(job: str) -> int:
    """A port that all processes of `job` derive from its name."""
    digest = int.from_bytes(hashlib.sha256(job.encode()).digest()[:8], "big")
    return DERIVED_PORTS[digest % len(DERIVED_PORTS)]


def first_host(node_list: str) -> str:
    """The first name in Slurm's notation of a list of hosts: `n[03-05,9],m1` begins with `n03`."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])+", node_list)
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first[0] if first else node_list)


def _place(environment: Mapping[str, str], index_name: str, count_name: str) -> tuple[int, int]:
    for name, other in ((index_name, count_name), (count_name, index_name)):
        if name not in environment:
            raise LaunchError(
                f"{other} is set, and {name} is not: set both for many processes, unset both for one"
            )
    index, count = _number(environment, index_name), _number(environment, count_name)
    if count < 1:
        raise LaunchError(f"{count_name}={count}: expected the number of processes, 1 or more")
    if index >= count:
        raise LaunchError(
            f"{index_name}={index} with {count_name}={count}: expected a number from 0 to {count - 1}"
        )
    return index, count


def _port(environment: Mapping[str, str]) -> int | None:
    if "MASTER_PORT" not in environment:
        return None
    port = _number(environment, "MASTER_PORT")
    if not 0 < port < 65_536:
        raise LaunchError(f"MASTER_PORT={port}: expected a port from 1 to 65535")
    return port


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name)
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        shown = f"{name} is not set" if text is None else f"{name}={text}"
        raise LaunchError(f"{shown}: expected a whole number of 0 or more; unset it for a run of one process")
    return int(text)
