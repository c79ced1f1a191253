"""Measures the request rates that a server sustains: p99 for given rates, and the highest rate under a limit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from measurement.machine import available_cores
from measurement.order_statistics import samples_needed
from measurement.statistics import Latency, Throughput, latency_of
from serving.connection import Client, RequestType
from serving.load import in_clients
from serving.open_loop import Answered, dealt, open_loop, poisson_arrivals
from serving.served_model import ServedModel
from serving.server import Server
from serving.shared_images import Region
from serving.statistics import Counters, counters

MOST_CLIENTS = 4
MOST_IN_FLIGHT = 256
"""Per client. Requests that are due beyond it wait, and their waiting counts."""

TOLERANCE = 1.05
"""A search ends when a rate that is higher by this factor is too high."""

MOST_PROBES = 16
"""The most rates that a search tries: doubling 15 times gives 32768 times the first."""


@dataclass(frozen=True)
class AtRate:
    """The result of Poisson arrivals at `rate` requests per second.

    `latency_ns` `(answers,)` int64, from due to answered; `lag_ns`, the part before the client sent the request.
    """

    rate: float
    batch: int
    latency_ns: NDArray[np.int64]
    lag_ns: NDArray[np.int64]
    answered_ns: NDArray[np.int64]
    began_ns: int
    stopped_early: bool
    counted: Counters

    @property
    def p99_ms(self) -> float | None:
        """None if there are too few answers."""
        if len(self.latency_ns) < samples_needed(99.0):
            return None
        return p99_ms(self.latency_ns)

    def under(self, limit_ms: float) -> bool:
        """Whether p99 is under the limit; false if it stopped early, as then too many were late."""
        return not self.stopped_early and self.p99_ms is not None and self.p99_ms <= limit_ms

    def lower_may_be_under(self, limit_ms: float, duration_s: float) -> bool:
        """Whether a lower rate is worth trying, if this one is too high.

        Not if even the fastest answer was over the limit although requests hardly overlapped (by Little's law, rate ×
        latency, the number of requests at the server, is under 1), nor if none would be due in `duration_s`.
        """
        fastest_s = int(self.latency_ns.min()) / 1e9
        hopeless = self.rate * fastest_s < 1 and fastest_s * 1e3 > limit_ms
        return not hopeless and self.rate * duration_s >= 1

    @property
    def seconds(self) -> float:
        """From the start to the last answer."""
        return (int(self.answered_ns.max()) - self.began_ns) / 1e9

    @property
    def latency(self) -> Latency:
        return latency_of(self.latency_ns)

    @property
    def throughput(self) -> Throughput:
        """`mean` is over the whole time; the rest is over its whole seconds, or the whole time if it is shorter."""
        whole = int(self.seconds)
        mean = len(self.latency_ns) * self.batch / self.seconds
        bins, _ = np.histogram(
            (self.answered_ns - self.began_ns) / 1e9, bins=whole or 1, range=(0, whole or 1)
        )
        each = bins * self.batch if whole else np.array([mean])
        std = float(each.std(ddof=1)) if len(each) > 1 else 0.0
        return Throughput(mean, float(np.median(each)), float(each.min()), float(each.max()), std)

    def line(self, limit_ms: float | None) -> str:
        """One line in the table of rates."""
        trip = self.latency.percentiles_ms or {}
        p99 = f"{self.p99_ms:.3f} ms" if self.p99_ms is not None else f"n/a ({len(self.latency_ns)} answers)"
        verdict = (
            "" if limit_ms is None else f"; {'under' if self.under(limit_ms) else 'over'} {limit_ms:g} ms"
        )
        rest = " (stopped early: too many were late)" if self.stopped_early else ""
        return (
            f"request rate {self.rate:.2f}/s: {len(self.latency_ns)} answers, p50 {trip[50.0]:.3f} ms, p99 {p99}, "
            f"{self.throughput.mean:.2f} samples/s{verdict}{rest}"
        )

    def lag_warning(self) -> str | None:
        """A warning if the clients themselves were late, which affects the results."""
        lag_ms = p99_ms(self.lag_ns)
        if lag_ms <= 0.1 * p99_ms(self.latency_ns):
            return None
        return (
            f"warning: at {self.rate:.2f} requests/s the clients themselves sent late, p99 {lag_ms:.3f} ms: "
            "they had no core, or too many requests in flight"
        )


def p99_ms(times_ns: NDArray[np.int64]) -> float:
    """The 99th percentile in milliseconds; of fewer than 100 times, it is hardly less than their maximum."""
    return float(np.percentile(times_ns, 99)) / 1e6


def at_rate(
    server: Server,
    served: ServedModel,
    region: Region,
    rate: float,
    duration_s: float,
    *,
    shared_memory: bool = True,
    limit_ms: float | None = None,
    seed: int = 0,
) -> AtRate:
    """Sends requests of the configuration's batch at `rate` per second for `duration_s`, and enough to bound p99.

    Several clients share them. Raises `ServingError`.
    """
    clients = min(MOST_CLIENTS, available_cores())
    requests = max(round(rate * duration_s), samples_needed(99.0))
    arrivals = dealt(poisson_arrivals(rate, requests, seed), clients, seed)
    batch = served.settings.micro_batch_size
    client = Client(
        server.address, served.name, region, batch, RequestType.ASYNC, MOST_IN_FLIGHT, shared_memory
    )
    limit_ns = None if limit_ms is None else round(limit_ms * 1e6)
    before = counters(server, served.name)
    found: list[Answered] = in_clients(
        server, served, partial(open_loop, client, arrivals, limit_ns), clients
    )
    due_ns = np.concatenate([part.due_ns for part in found])
    answered_ns = np.concatenate([part.answered_ns for part in found])
    return AtRate(
        rate,
        batch,
        answered_ns - due_ns,
        np.concatenate([part.sent_ns for part in found]) - due_ns,
        answered_ns,
        int(due_ns.min()),
        any(part.stopped_early for part in found),
        counters(server, served.name) - before,
    )


def highest_rate(
    is_under: Callable[[float], bool],
    rates: Sequence[float],
    lower_may_be: Callable[[float], bool] = lambda rate: True,
) -> float | None:
    """The highest rate for which `is_under` is true, within `TOLERANCE` of one for which it is false.

    Tries `rates` first, then doubles or halves them, then bisects: at most `MOST_PROBES` in all, after which
    `end_warning` reports what remains unknown. None if it is never true; tries half of the lowest rate only if
    `lower_may_be` is true.
    """
    tried: dict[float, bool] = {}

    def probe(rate: float) -> bool:
        if rate not in tried:
            tried[rate] = is_under(rate)
        return tried[rate]

    for rate in sorted(rates):
        if not probe(rate):
            break
    while len(tried) < MOST_PROBES:
        under = [rate for rate, fine in tried.items() if fine]
        over = [rate for rate, fine in tried.items() if not fine]
        if not over:
            probe(max(under) * 2)
        elif not under:
            if not lower_may_be(min(over)):
                break
            probe(min(over) / 2)
        elif min(over) <= max(under) * TOLERANCE:
            break
        else:
            probe(float(np.sqrt(max(under) * min(over))))
    return max((rate for rate, fine in tried.items() if fine), default=None)


def end_warning(highest: float, tried: Collection[float]) -> str | None:
    """A warning if the search ended before it found a rate within `TOLERANCE` that is too high."""
    too_high = [rate for rate in tried if rate > highest]
    if too_high and min(too_high) <= highest * TOLERANCE:
        return None
    return (
        f"warning: the search ended after {len(tried)} rates without finding one within {TOLERANCE - 1:.0%} of the "
        f"highest that is too high: the server may sustain more; start from --request-rate {highest:.2f}"
    )
