"""One model under load: `test_single_model[resnet50-resnet50-RequestType.SYNC-1]`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from serving.answers import answers, differences, in_process, spans_of
from serving.connection import RequestType
from serving.load import Load, in_clients, under_load
from serving.report import load_results


@pytest.fixture(scope="module")
def expected(at_server, repository: Path) -> np.ndarray:
    return in_process(at_server.served, at_server.region, repository)


@pytest.mark.throughput
@pytest.mark.parametrize("clients", [1, 4, 8])
@pytest.mark.parametrize("request_type", list(RequestType), ids=str)
def test_single_model(at_server, load: Load, duration_s: float, request: pytest.FixtureRequest) -> None:
    """Prints the results; before that, unless --benchmark_only is given, all clients check all their answers."""
    server, served, region = at_server.server, at_server.served, at_server.region
    if not request.config.option.benchmark_only:
        spans = spans_of(region, served.settings.micro_batch_size)
        client = load.client(server, served, region, served.settings.micro_batch_size)
        expected = request.getfixturevalue("expected")
        for found in in_clients(server, served, partial(answers, client, spans), load.clients):
            for (first, count), logits in zip(spans, found, strict=True):
                assert not differences(logits, expected[first : first + count], at_server.dtype)

    print(flush=True)  # pytest has printed part of a line
    loaded = under_load(server, served, region, load, duration_s, partial(print, flush=True))
    print(load_results(server, served, at_server.instances, load, loaded), flush=True)
    assert loaded.counted.failed == 0
    assert loaded.measurement.not_finite == 0
