"""An open loop on one model: p99 for given request rates (`--request-rate 2,4,8 --latency-limit 100`)."""

from __future__ import annotations

import pytest

from serving.report import rate_results
from serving.request_rates import AtRate, at_rate, end_warning, highest_rate


@pytest.mark.open_loop
def test_request_rate(at_server, duration_s: float, request: pytest.FixtureRequest) -> None:
    """Prints one line per rate, and the results of the last one, or of the highest one under the limit."""
    options = request.config.option
    limit_ms: float | None = options.latency_limit
    found: dict[float, AtRate] = {}

    def is_under(rate: float) -> bool:
        found[rate] = at_rate(
            at_server.server,
            at_server.served,
            at_server.region,
            rate,
            duration_s,
            shared_memory=at_server.shared_memory,
            limit_ms=limit_ms,
        )
        print(found[rate].line(limit_ms), flush=True)
        if warning := found[rate].lag_warning():
            print(warning, flush=True)
        return limit_ms is None or found[rate].under(limit_ms)

    print(flush=True)
    if limit_ms is None:
        for rate in sorted(options.request_rate):
            is_under(rate)
        shown = max(options.request_rate)
    else:
        highest = highest_rate(
            is_under,
            options.request_rate,
            lambda rate: found[rate].lower_may_be_under(limit_ms, duration_s),
        )
        if highest is None:
            pytest.fail(
                f"no rate down to {min(found):.3g} requests/s has its p99 under {limit_ms:g} ms: "
                "give a higher --latency-limit",
                pytrace=False,
            )
        print(f"highest rate with p99 under {limit_ms:g} ms: {highest:.2f} requests/s", flush=True)
        if warning := end_warning(highest, found):
            print(warning, flush=True)
        shown = highest
    results = rate_results(
        at_server.server,
        at_server.served,
        at_server.instances,
        at_server.shared_memory,
        found[shown],
        limit_ms,
    )
    print(results, flush=True)
    assert all(one.counted.failed == 0 for one in found.values())
