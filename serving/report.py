"""Reports the results of a load in the driver's report lines, so that specs, parser and history can read them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import psutil

from measurement.machine import available_cores, cpu_model
from measurement.report import Facts, metrics, results
from measurement.statistics import Latency, Throughput, latency, throughput
from serving.load import Load, Loaded
from serving.request_rates import AtRate, p99_ms
from serving.served_model import ServedModel
from serving.server import Server


def load_results(
    server: Server, served: ServedModel, instances: Sequence[Mapping[str, Any]], load: Load, loaded: Loaded
) -> str:
    """The report lines of a closed loop."""
    found = loaded.measurement
    rate = throughput(found.samples_per_host_call, *found.by_replica)
    trip = latency(found)
    measured = {
        **metrics(rate, trip),
        "samples": str(found.samples),
        "host_calls": str(len(found.host_call_ns)),
        "duration": f"{found.duration_s:.3f} s",
        "warmup_host_calls": str(found.warmup_host_calls),
        **({"not_finite_outputs": str(found.not_finite)} if found.not_finite else {}),
        **loaded.counted.lines(),
        "request_type": load.request_type.value,
        "clients": str(load.clients),
        "in_flight": f"{load.in_flight(served.instances)} requests per client",
    }
    return _with_facts(server, served, instances, load.shared_memory, rate, trip, measured)


def rate_results(
    server: Server,
    served: ServedModel,
    instances: Sequence[Mapping[str, Any]],
    shared_memory: bool,
    found: AtRate,
    limit_ms: float | None,
) -> str:
    """The report lines of an open loop: for the single or last rate, or the highest one under the limit."""
    searched = limit_ms is not None
    measured = {
        **metrics(found.throughput, found.latency),
        **({"highest_rate": f"{found.rate * found.batch:.2f} samples/sec"} if searched else {}),
        "samples": str(len(found.latency_ns) * found.batch),
        "duration": f"{found.seconds:.3f} s",
        "client_lag_p99": f"{p99_ms(found.lag_ns):.3f} ms",
        **found.counted.lines(),
        "request_type": "open loop, Poisson arrivals",
        "request_rate": "searched" if searched else f"{found.rate:g} requests/s",
        **({"latency_limit": f"p99 under {limit_ms:g} ms"} if searched else {}),
    }
    return _with_facts(server, served, instances, shared_memory, found.throughput, found.latency, measured)


def _with_facts(
    server: Server,
    served: ServedModel,
    instances: Sequence[Mapping[str, Any]],
    shared_memory: bool,
    rate: Throughput,
    trip: Latency,
    measured: Mapping[str, str],
) -> str:
    engine = {
        key: _of_all(instances, key) for key in ("engine", "version", "device", "dtype", "threads", "streams")
    }
    about = server.ask(server.control.get_server_metadata)
    batching = served.dynamic_batching_us
    details = {
        **measured,
        "server": f"tritonserver {about.version}",
        "instances": str(served.instances),
        "images": "decoded before timing",
        "shared_memory": "system" if shared_memory else "none",
        "dynamic_batching": "off" if batching is None else f"waits {batching} microseconds",
        "configuration": served.settings.config or "none",
        "backend": f"{engine['engine']} {engine['version']}",
        "backend_requested": served.settings.backend_requested,
        "device": engine["device"],
        "precision_requested": served.settings.precision,
        "precision_effective": engine["dtype"],
        "threads": engine["threads"],
        "streams": engine["streams"],
        "cores_of_instances": "; ".join(sorted(",".join(map(str, one["cores"])) for one in instances)),
        "weights": served.weights.kind,
        **served.inputs,
        **_exported(instances),
        "normalization_location": served.settings.normalization_location,
        "eight_bit_io": str(served.settings.eight_bit_io).lower(),
        "server_memory": f"{server_mib(server):.0f} MiB",
        "cpu": f"{cpu_model()}, {available_cores()} cores",
        "version_python": platform.python_version(),
        "version_tritonserver": about.version,
        **{f"version_{name}": version(name) for name in ("tritonclient", "torch", "timm", "numpy")},
    }
    shown = replace(
        served.settings, data="real"
    )  # real images; the line `images` reports when they are decoded
    facts = Facts(engine["dtype"], num_ipus=0, num_devices=served.instances, details={})
    return results(shown, rate, trip, facts, details)


def server_mib(server: Server) -> float:
    """Memory of the server and its instances in MiB, with shared pages counted once (Linux's PSS)."""
    processes = [psutil.Process(server.process.pid)]
    processes += processes[0].children(recursive=True)
    return float(np.sum([process.memory_full_info().pss for process in processes])) / 2**20


def _exported(instances: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The digest of the export for the largest batch."""
    digests = {one["effective"]["details"]["exported_model"] for one in instances}
    return {"exported_model": ", ".join(sorted(digests))}


def _of_all(instances: Sequence[Mapping[str, Any]], key: str) -> str:
    return ", ".join(sorted({str(one["effective"][key]) for one in instances}))
