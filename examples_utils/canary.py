"""A fixed piece of work that measures the machine itself; runs as a process of its own.

`python3 -m examples_utils.canary` prints as JSON how long it took: a matrix product, which is bound by one core's
arithmetic, and a copy that is larger than a core's caches, which is bound by memory.

Its times are compared over years. So sizes, types, threads and passes never change: different work gets a new name.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from statistics import median

_THREAD_VARIABLES = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# Short passes, so that the median discards disturbed ones, and enough of them for half a second.
_PASSES = 25
_WARM_UP_PASSES = 2
_ORDER = 512  # of the matrices, each 1 MiB of float32: fits into the second or third level of any cache
_PRODUCTS = 2  # per pass
_COPIED_BYTES = 64 << 20  # per pass; with the source, more than the caches that one core can fill


def main() -> int:
    """Prints the seconds of one pass of each kernel."""
    print(json.dumps(measure()))
    return 0


def measure() -> dict[str, float]:
    """Returns the median seconds of one pass: `compute_s` and `memory_s`. Call it before NumPy is loaded.

    Raises:
        ImportError: NumPy is missing.
    """
    # BLAS reads these once, when NumPy loads it.
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    return {"compute_s": _median_s(_compute_pass()), "memory_s": _median_s(_memory_pass())}


def _compute_pass() -> Callable[[], None]:
    import numpy as np

    numbers = np.random.default_rng(0)
    left, right = (numbers.random((_ORDER, _ORDER), dtype=np.float32) for _ in range(2))
    product = np.empty_like(left)

    def one_pass() -> None:
        for _ in range(_PRODUCTS):
            np.matmul(left, right, out=product)

    return one_pass


def _memory_pass() -> Callable[[], None]:
    import numpy as np

    # Write to both: a page that was never written occupies no memory yet.
    source = np.ones(_COPIED_BYTES // 8, dtype=np.float64)
    target = np.zeros_like(source)
    target.fill(0)
    return lambda: np.copyto(target, source)


def _median_s(one_pass: Callable[[], None]) -> float:
    for _ in range(_WARM_UP_PASSES):
        one_pass()
    times_ns = []
    for _ in range(_PASSES):
        begun_ns = time.monotonic_ns()
        one_pass()
        times_ns.append(time.monotonic_ns() - begun_ns)
    return median(times_ns) / 1e9


if __name__ == "__main__":
    raise SystemExit(main())
