"""Arrivals, what becomes of them, and the search for the highest rate: on plain values, without a server."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import request_rates
from serving.open_loop import BEYOND_P99, Answered, dealt, open_loop, poisson_arrivals
from serving.request_rates import MOST_PROBES, TOLERANCE, AtRate, end_warning, highest_rate
from serving.statistics import Counters

NOTHING = Counters(*[0] * 8)
MS = 1_000_000


def at_rate(latency_ms, due_ms=None, lag_ms=0.0, stopped_early: bool = False) -> AtRate:
    latency = np.asarray(latency_ms, float)
    due = np.arange(len(latency)) * 10.0 if due_ms is None else np.asarray(due_ms, float)
    answered_ns = ((due + latency) * MS).astype(np.int64)
    lag_ns = np.full(len(latency), int(lag_ms * MS))
    return AtRate(100.0, 4, (latency * MS).astype(np.int64), lag_ns, answered_ns, 0, stopped_early, NOTHING)


@given(rate=st.floats(0.1, 1e4), requests=st.integers(1, 500), seed=st.integers(0, 2**32))
def test_arrivals_are_in_order_and_as_many_as_asked_for_and_the_same_for_the_same_seed(
    rate: float, requests: int, seed: int
) -> None:
    arrivals = poisson_arrivals(rate, requests, seed)
    assert arrivals.shape == (requests,)
    assert (np.diff(arrivals) >= 0).all()
    assert (arrivals >= 0).all()
    assert (arrivals == poisson_arrivals(rate, requests, seed)).all()


def test_arrivals_come_at_the_rate_and_their_gaps_are_exponential() -> None:
    gaps_s = np.diff(poisson_arrivals(50.0, 20_000, seed=1)) / 1e9
    assert gaps_s.mean() == pytest.approx(1 / 50, rel=0.03)
    assert gaps_s.std() == pytest.approx(
        gaps_s.mean(), rel=0.03
    )  # of an exponential distribution they are equal


@given(requests=st.integers(1, 500), clients=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_every_arrival_is_dealt_to_one_client_in_order(requests: int, clients: int, seed: int) -> None:
    arrivals = poisson_arrivals(10.0, requests, seed)
    shares = dealt(arrivals, clients, seed)
    assert len(shares) == clients
    assert all((np.diff(share) >= 0).all() for share in shares)
    assert (np.sort(np.concatenate(shares)) == arrivals).all()


def test_all_clients_send_for_all_the_time_and_their_gaps_are_exponential() -> None:
    arrivals = poisson_arrivals(50.0, 20_000, seed=1)
    for share in dealt(arrivals, 4, seed=1):
        gaps_s = np.diff(share) / 1e9
        assert gaps_s.mean() == pytest.approx(4 / 50, rel=0.1)
        assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.1)
        assert share[-1] > 0.99 * arrivals[-1]


class TestVerdict:
    def test_p99_is_compared_with_the_limit(self) -> None:
        found = at_rate([10.0] * 297 + [500.0] * 3)
        assert found.p99_ms == pytest.approx(np.percentile([10.0] * 297 + [500.0] * 3, 99))
        assert at_rate([10.0] * 299).under(11.0)
        assert not at_rate([10.0] * 299).under(9.0)

    def test_too_few_answers_are_inconclusive(self) -> None:
        found = at_rate([10.0] * 298)
        assert found.p99_ms is None
        assert not found.under(1000.0)
        assert "p99 n/a (298 answers)" in found.line(1000.0)

    def test_a_rate_that_stopped_early_is_over_the_limit_whatever_came_before(self) -> None:
        found = at_rate([1.0] * 200, stopped_early=True)
        assert not found.under(10.0)
        assert "over 10 ms (stopped early" in found.line(10.0)

    def test_without_a_limit_no_verdict_is_printed(self) -> None:
        line = at_rate([1.0] * 200).line(None)
        assert "under" not in line
        assert "over" not in line


def test_throughput_is_over_all_the_time_and_its_spread_over_whole_seconds() -> None:
    found = at_rate([0.0] * 300, due_ms=np.linspace(0, 3000, 300))
    assert found.throughput.mean == pytest.approx(300 * 4 / 3)
    assert found.throughput.min <= found.throughput.median <= found.throughput.max
    assert found.throughput.max == pytest.approx(400, abs=8)


def test_clients_that_are_late_themselves_are_reported() -> None:
    assert at_rate([10.0] * 100, lag_ms=0.5).lag_warning() is None
    warning = at_rate([10.0] * 100, lag_ms=5.0).lag_warning()
    assert warning is not None
    assert warning.startswith("warning: at 100.00 requests/s the clients themselves sent late, p99 5.000 ms")


@given(capacity=st.floats(1.0, 1000.0), start=st.floats(0.5, 2000.0))
def test_the_highest_rate_is_found_from_below(capacity: float, start: float) -> None:
    probes: list[float] = []

    def is_under(rate: float) -> bool:
        probes.append(rate)
        return rate <= capacity

    found = highest_rate(is_under, [start])
    assert found is not None
    assert capacity / TOLERANCE <= found <= capacity
    assert len(probes) == len(set(probes)) <= MOST_PROBES


def test_a_server_that_never_keeps_the_limit_has_no_highest_rate() -> None:
    probes: list[float] = []
    assert highest_rate(lambda rate: bool(probes.append(rate)), [8.0]) is None
    assert len(probes) == MOST_PROBES


def test_no_lower_rate_is_tried_where_none_may_be_under_the_limit() -> None:
    probes: list[float] = []
    assert highest_rate(lambda rate: bool(probes.append(rate)), [8.0, 4.0], lambda rate: rate > 2) is None
    assert probes == [4.0, 2.0]


class TestLowerRates:
    """`at_rate` makes 100 requests a second."""

    def test_none_is_worth_a_try_where_a_request_alone_takes_longer_than_the_limit(self) -> None:
        assert not at_rate([9.0] * 100).lower_may_be_under(8.0, duration_s=5.0)

    def test_one_is_worth_a_try_where_the_fastest_answer_was_under_the_limit(self) -> None:
        assert at_rate([7.0] + [9.0] * 99).lower_may_be_under(8.0, duration_s=5.0)

    def test_one_is_worth_a_try_where_requests_may_have_waited_for_each_other(self) -> None:
        assert at_rate([50.0] * 100).lower_may_be_under(8.0, duration_s=5.0)

    def test_none_is_worth_a_try_at_which_no_request_would_be_due(self) -> None:
        assert not at_rate([50.0] * 100).lower_may_be_under(8.0, duration_s=0.005)


def test_rates_that_were_asked_for_are_tried_in_order_until_one_is_too_high() -> None:
    probes: list[float] = []

    def is_under(rate: float) -> bool:
        probes.append(rate)
        return rate < 20

    assert highest_rate(is_under, [40.0, 10.0, 5.0, 80.0]) is not None
    assert probes[:3] == [5.0, 10.0, 40.0]
    assert 80.0 not in probes


SERVICE_MS = 20.0
CAPACITY = 1000 / SERVICE_MS
"""Requests a second, of a server that computes one after the other."""


class TestSearchOfAServer:
    """Which computes each request in 20 ms: 50 requests a second and no more. No time passes here."""

    @pytest.fixture
    def search(self, monkeypatch: pytest.MonkeyPatch):
        """`search(rates, limit_ms)`: the highest rate, and what was found of each that was tried."""
        monkeypatch.setattr(request_rates, "counters", lambda server, model: NOTHING)
        monkeypatch.setattr(request_rates, "available_cores", lambda: 2)
        server = SimpleNamespace(address="nowhere")
        model = SimpleNamespace(name="a", settings=SimpleNamespace(micro_batch_size=4))

        def search(rates, limit_ms: float, duration_s: float = 20.0, one_by_one: bool = True):
            clients = partial(simulated_clients, one_by_one=one_by_one)
            monkeypatch.setattr(request_rates, "in_clients", clients)
            found: dict[float, AtRate] = {}

            def is_under(rate: float) -> bool:
                found[rate] = request_rates.at_rate(server, model, None, rate, duration_s, limit_ms=limit_ms)
                return found[rate].under(limit_ms)

            def lower_may_be(rate: float) -> bool:
                return found[rate].lower_may_be_under(limit_ms, duration_s)

            return highest_rate(is_under, rates, lower_may_be), found

        return search

    @pytest.mark.parametrize("rates", [[4.0], [1000.0], [10.0, 30.0, 90.0]], ids=["below", "above", "around"])
    def test_the_rate_that_is_found_keeps_the_limit_and_one_a_little_higher_does_not(
        self, search, rates: list[float]
    ) -> None:
        highest, found = search(rates, limit_ms=500.0)
        assert 0.8 * CAPACITY < highest < CAPACITY
        assert found[highest].p99_ms <= 500.0
        assert "; under 500 ms" in found[highest].line(500.0)
        assert len(found[highest].latency_ns) == round(highest * 20.0)
        too_high = [rate for rate in found if rate > highest]
        assert min(too_high) <= highest * TOLERANCE
        assert all("; over 500 ms" in found[rate].line(500.0) for rate in too_high)
        assert found[max(too_high)].stopped_early
        assert end_warning(highest, found) is None

    def test_a_limit_that_leaves_no_time_to_wait_is_kept_at_low_rates_alone(self, search) -> None:
        highest, _ = search([4.0], limit_ms=1.5 * SERVICE_MS)
        assert highest < 0.5 * CAPACITY

    def test_a_limit_that_a_request_alone_does_not_keep_ends_the_search(self, search) -> None:
        highest, found = search([400.0], limit_ms=0.5 * SERVICE_MS)
        assert highest is None
        assert min(found) > 0.25 * CAPACITY

    def test_a_server_that_every_rate_leaves_idle_ends_the_search_after_so_many_rates(self, search) -> None:
        highest, found = search([4.0], limit_ms=500.0, duration_s=0.01, one_by_one=False)
        assert len(found) == MOST_PROBES
        assert highest == max(found) == 4.0 * 2 ** (MOST_PROBES - 1)
        assert "the server may sustain more; start from --request-rate 131072.00" in end_warning(
            highest, found
        )


def simulated_clients(server, served, job, clients: int, *, one_by_one: bool) -> list[Answered]:
    """In place of client processes: what each would measure of a server that answers so."""
    assert job.func is open_loop
    client, arrivals_ns, limit_ns = job.args
    assert (client.model, client.batch, len(arrivals_ns)) == ("a", 4, clients)
    due_ns = np.sort(np.concatenate(arrivals_ns))
    service_ns, free_ns, answered = int(SERVICE_MS * MS), 0, []
    for due in map(int, due_ns):
        free_ns = max(due, free_ns if one_by_one else 0) + service_ns
        answered.append(free_ns)
    answered_ns = np.array(answered)
    parts = []
    for own_ns in arrivals_ns:
        own_answers_ns = answered_ns[np.searchsorted(due_ns, own_ns)]
        late = np.cumsum(own_answers_ns - own_ns > limit_ns)
        sent = int(np.count_nonzero(late <= BEYOND_P99 * len(due_ns)))
        parts.append(Answered(own_ns[:sent], own_ns[:sent], own_answers_ns[:sent], sent < len(own_ns)))
    return parts


def test_a_search_that_met_no_rate_a_little_too_high_reports_what_is_not_known() -> None:
    assert end_warning(10.0, [5.0, 10.0, 10.4]) is None
    for tried in ([5.0, 10.0], [5.0, 10.0, 20.0]):
        warning = end_warning(10.0, tried)
        assert warning is not None
        assert warning.startswith(f"warning: the search ended after {len(tried)} rates")
        assert warning.endswith("start from --request-rate 10.00")
