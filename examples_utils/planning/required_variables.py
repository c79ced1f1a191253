"""Environment variables that specs take for granted: their fallbacks, and what to do where one is not set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from examples_utils.planning.command import Command
from examples_utils.planning.environment import uses_variable
from examples_utils.spec.loader import Benchmark

_DATASETS = "DATASETS_DIR"
_SERVER_HOST = "VIPU_CLI_API_HOST"
_FALLBACKS = {_SERVER_HOST: "IPUOF_VIPU_API_HOST", "IPUOF_VIPU_API_PARTITION_ID": "PARTITION"}
# What it means, and an example of its value.
_MEANINGS = {
    _DATASETS: ("the folder of the datasets", "/data"),
    "HOSTS": ("the hosts on which poprun starts instances, separated by commas", "10.1.3.101,10.1.3.102"),
    _SERVER_HOST: (
        "the host of the V-IPU server; neither IPUOF_VIPU_API_HOST nor `vipu --server-version` names it",
        "10.1.3.1",
    ),
    "IPUOF_VIPU_API_HOST": ("the host of the V-IPU server, as `vipu --server-version` prints it", "10.1.3.1"),
    "IPUOF_VIPU_API_PARTITION_ID": (
        "the V-IPU partition, as `vipu list partitions` prints it; PARTITION is not set either",
        "my_partition",
    ),
    "PARTITION": ("the V-IPU partition, as `vipu list partitions` prints it", "my_partition"),
    "VIPU_ALLOCATION_ID": ("the V-IPU allocation in which poprun makes the partition", "my_allocation"),
    "CLUSTER": ("the V-IPU cluster, as `vipu list partitions` prints it", "my_cluster"),
    "TCP_IF_INCLUDE": (
        "the network, or its interface, through which the hosts reach each other",
        "10.1.3.0/24",
    ),
}


def without_empty(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment without those of these variables that are empty, as if they were not set."""
    return {name: value for name, value in environment.items() if value or name not in _MEANINGS}


def with_fallbacks(
    benchmark: Benchmark, environment: Mapping[str, str], server_host: Callable[[], str | None]
) -> dict[str, str]:
    """Returns the entry's `env`, and with it the variables that it uses and that have a value under another name.

    `server_host` returns the host of the V-IPU server, or None; it is called only if nothing else names it.
    """
    env = dict(benchmark.env)
    texts = [benchmark.cmd or "", *env.values(), str(benchmark.parameters)]
    for name, other in _FALLBACKS.items():
        if env.get(name) or environment.get(name) or not _use(name, texts):
            continue
        if env.get(other) or environment.get(other):
            env[name] = f"${other}"
        elif name == _SERVER_HOST and (host := server_host()):
            env[name] = host
    return env


def unset_variables(
    benchmark: Benchmark, command: Command, environment: Mapping[str, str], prepare: bool
) -> str | None:
    """Returns which of these variables the command needs and lacks, and how to set them; None if it can start.

    Those of the entry's preparation count only with `prepare`.
    """
    texts = [command.text, *(value for _, value in command.env)]
    texts += benchmark.pre_run_commands if prepare else ()
    if not any("$" in text for text in texts):
        return None
    values = {**environment, **dict(command.env)}
    lacking = [
        f"${name} is not set ({meaning}): export {name}={example}"
        for name, (meaning, example) in _MEANINGS.items()
        if not (name == _DATASETS and benchmark.needs_no_dataset)
        and (not values.get(name) or uses_variable(name, values[name]))
        and _use(name, texts)
    ]
    return "; ".join(lacking) or None


def _use(name: str, texts: Iterable[str]) -> bool:
    """Whether a text contains the variable, but nothing of a shell that may set it."""
    return any(uses_variable(name, text) and not _sets(name).search(text) for text in texts)


@cache
def _sets(name: str) -> re.Pattern[str]:
    sourced = (
        r"""(?:^|[;&|('"\n])\s*(?:source|\.|eval)\s"""  # at the place of a command; may set any variable
    )
    return re.compile(rf"(?<![\w-]){name}=|\b(?:for|read)\s+{name}\b|{sourced}")
