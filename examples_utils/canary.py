"""A fixed piece of work that tells whether the machine itself is slower; run as a process of its own.

``python3 -m examples_utils.canary`` prints how long it took, as JSON: a matrix product, which is bound by one core's
arithmetic, and a copy of more than a core's caches hold, which is bound by memory.

Its figures are compared over years. So sizes, types, threads and passes never change: other work gets another name.
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
# Short passes, so that the median leaves out what disturbs some of them, and enough of them to be half a second.
_PASSES = 25
_WARM_UP_PASSES = 2
_ORDER = 512  # of the matrices, each 1 MiB of float32: within the second or third level of any cache
_PRODUCTS = 2  # a pass
_COPIED_BYTES = 64 << 20  # a pass; with the source it is more than the caches that one core can fill


def main() -> int:
    """Prints the seconds of one pass of each kernel."""
    print(json.dumps(measure()))
    return 0


def measure() -> dict[str, float]:
    """Median seconds of one pass: ``compute_s`` and ``memory_s``. To be called before numpy is loaded.

    Raises:
        ImportError: numpy is missing.
    """
    # BLAS reads these once, when numpy loads it.
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

    # Both are written to here: a page that was never written is no memory yet.
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
