"""Two replicas compared with OpenVINO's own two streams, with torchrun, and cache misses with cache hits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from bench.command import TORCHRUN, throughput_of_run
from bench.engines import ROUND_S, bare_throughput, subject
from bench.rounds import alternate, ratio
from bench.targets import Row, Target


def measure_all() -> Iterator[Row]:
    """The rows of replicas."""
    yield against_streams("resnet50", micro_batch_size=8)
    yield against_streams("mobilenet-v3-large", micro_batch_size=8)
    for backend in ("openvino", "onnxruntime", "torch"):
        for micro_batch_size in (1, 8):
            yield after_compiling(backend, micro_batch_size)


def measure_instances() -> Iterator[Row]:
    """Two processes of torchrun compared with two replicas, on the same model, cores and threads."""
    flags = ["--config", "resnet50", "--data", "generated", "--random-weights", "--threads", "1"]
    pairs = alternate(
        lambda: throughput_of_run(flags, TORCHRUN),
        lambda: throughput_of_run([*flags, "--replicas", "2"]),
        rounds=3,
    )
    what = "torchrun with 2 processes / 2 replicas, of 1 thread each: --config resnet50, generated data"
    yield ratio(what, pairs, Target(at_least=0.95), "samples/sec")


def against_streams(model: str, micro_batch_size: int) -> Row:
    """Whole runs of the driver with `--replicas 2`, alternating with a bare loop around one compiled model."""
    shape = {"model": model, "micro_batch_size": micro_batch_size, "device_iterations": 8}
    engine = {"backend": "openvino", "precision": "16.16"}
    streams = subject(**shape, **engine, streams=2, threads=2)
    effective = streams.executable.effective
    pairs = alternate(lambda: _with_replicas({**shape, **engine}), bare_throughput(streams))
    streams.executable.close()
    what = (
        f"2 replicas of 1 thread / OpenVINO's own {effective.streams} streams: {model}, "
        f"micro-batch {micro_batch_size}, {effective.dtype}"
    )
    return ratio(what, pairs, Target(at_least=0.95), "samples/sec")


def after_compiling(backend: str, micro_batch_size: int) -> Row:
    """Replicas that have just compiled their model, compared with replicas that found it in the cache.

    Shows what compilation leaves running. The engine `torch` caches nothing, so its two sides are the same.
    """
    options = {"model": "mobilenet-v3-small", "micro_batch_size": micro_batch_size, "backend": backend}
    with tempfile.TemporaryDirectory() as cache:
        hit = {**options, "model_cache_path": cache}
        _with_replicas(hit)
        pairs = alternate(lambda: _with_replicas(options), lambda: _with_replicas(hit), rounds=3)
    what = f"2 replicas without / with a model cache hit: mobilenet-v3-small, {backend}, micro-batch {micro_batch_size}"
    return ratio(what, pairs, Target(at_least=0.97), "samples/sec")


def _with_replicas(options: dict[str, object]) -> float:
    flags = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    flags += ["--replicas", "2", "--threads", "1", "--data", "generated", "--random-weights"]
    return throughput_of_run([*flags, "--duration", f"{ROUND_S:.0f}"])
