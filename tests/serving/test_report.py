"""The results of a load as the driver's parser reads them, from a server that is made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark_parsers.driver import DriverParser
from benchmark_parsers.parsed import Parsed
from datasets.images import find_images
from driver.inputs import image_lines, weights_line
from measurement.loop import Measurement
from serving import report
from serving.connection import RequestType
from serving.load import Load, Loaded
from serving.request_rates import AtRate
from serving.served_model import served_model
from serving.statistics import Counters

PAGE = Path(__file__).parents[2] / "docs/serving.md"
MS = 1_000_000
COUNTED = Counters(200, 0, 800, 200, 0, 0, 200 * MS, 0)
INSTANCES = [
    {
        "cores": [core],
        "effective": {
            "engine": "openvino",
            "version": "2026.4.1",
            "device": "CPU",
            "dtype": "float32",
            "threads": 1,
            "streams": 1,
            "details": {"exported_model": "sha256:" + "e" * 64},
        },
    }
    for core in (0, 1)
]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch):
    """A server and a model for it, wherever Triton is not installed."""
    monkeypatch.setattr(report, "version", lambda package: "1.0")
    monkeypatch.setattr(report, "server_mib", lambda server: 100.0)
    control = SimpleNamespace(get_server_metadata=lambda: SimpleNamespace(version="2.50.0"))
    server = SimpleNamespace(control=control, ask=lambda call: call())
    return server, served_model("a", {"model": "mobilenet-v3-small", "weights": "random"}), INSTANCES


def closed(made_up) -> str:
    took_ns, nothing = np.full(200, 2 * MS), np.zeros(200, np.int64)
    measured = Measurement(4, nothing, took_ns, nothing, None, took_ns, False, 2, 0, 0, 0)
    return report.load_results(*made_up, Load(RequestType.ASYNC, 4), Loaded(measured, COUNTED))


def opened(made_up, limit_ms: float | None) -> str:
    latency_ns = np.full(300, 2 * MS)
    due_ns = np.arange(300) * 10 * MS
    found = AtRate(100.0, 4, latency_ns, np.zeros(300, np.int64), due_ns + latency_ns, 0, False, COUNTED)
    return report.rate_results(*made_up, True, found, limit_ms)


def read(text: str) -> Parsed:
    parser = DriverParser()
    parser.feed(text + "\n")
    assert parser.parsed().problems == ()
    return parser.parsed()


@pytest.mark.parametrize("results", [closed, lambda made_up: opened(made_up, None)], ids=["closed", "open"])
def test_photographs_are_real_data_and_that_decoding_is_not_measured_is_reported(made_up, results) -> None:
    """The driver calls data real whose decoding is in its figures."""
    settings = read(results(made_up)).settings
    assert settings["data_mode"] == "real"
    assert settings["images"] == "decoded before timing"
    assert f"`images: {settings['images']}`" in PAGE.read_text()


def test_images_weights_and_export_are_identified_as_in_a_run_of_the_driver(
    made_up, photographs: Path
) -> None:
    server, served, instances = made_up
    images = find_images(photographs)
    settings = read(closed((server, served.with_images(images, photographs), instances))).settings
    assert {**image_lines(images, photographs), **weights_line(served.weights)}.items() <= settings.items()
    assert settings["exported_model"] == "sha256:" + "e" * 64


def test_a_search_reports_the_highest_rate_as_a_figure_and_its_limit_as_a_setting(made_up) -> None:
    parsed = read(opened(made_up, limit_ms=50.0))
    highest = parsed.metrics["highest_rate"]
    assert (highest.value, highest.unit, highest.direction) == (400.0, "samples/sec", "higher")
    assert parsed.settings["latency_limit"] == "p99 under 50 ms"
    assert parsed.settings["request_rate"] == "searched"  # as two searches are compared, whatever they find
    assert parsed.metrics["latency_p99"].value == 2.0


def test_without_a_search_there_is_no_highest_rate(made_up) -> None:
    parsed = read(opened(made_up, limit_ms=None))
    assert "highest_rate" not in parsed.metrics
    assert "latency_limit" not in parsed.settings
    assert parsed.settings["request_rate"] == "100 requests/s"
