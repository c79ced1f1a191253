"""Values on their way to the server's instances and to the clients, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.driver import DriverParser
from measurement.loop import Measurement
from measurement.machine import cores_in_use
from measurement.report import Facts, metrics, results
from measurement.statistics import latency, throughput
from serving.answers import differences, spans_of
from serving.connection import RequestType
from serving.errors import ServingRefused
from serving.instance import own_cores
from serving.load import Load
from serving.model_config import settings_as_text, settings_from_text
from serving.served_model import ServedModel, served_model
from serving.shared_images import Region
from serving.statistics import Counters

TINY = {"model": "mobilenet-v3-small", "weights": "random"}


def test_settings_reach_an_instance_unchanged() -> None:
    settings = served_model("a", TINY, "efficientnet-b0-g16-gn").settings
    assert settings_from_text(settings_as_text(settings)) == settings


class TestServed:
    def test_a_configuration_is_served_with_its_batch_and_an_instance_a_core(self) -> None:
        found = served_model("mobilenet-v3-small", {"weights": "random"}, "mobilenet-v3-small")
        assert found.settings.micro_batch_size == 16
        assert found.settings.config == "mobilenet-v3-small"
        assert found.settings.eight_bit_io
        assert (found.instances, found.settings.threads) == (len(cores_in_use()), 1)
        assert found.batch_sizes == (1, 16)
        assert found.image_shape == (3, 224, 224)

    def test_fewer_instances_have_more_threads(self) -> None:
        found = served_model("a", TINY, instances=1)
        assert found.settings.threads == len(cores_in_use())

    @pytest.mark.parametrize(
        ("flags", "more", "words"),
        [
            ({"backend": "torch"}, {}, "--backend torch: exports nothing .*openvino, onnxruntime"),
            ({"device": "cuda"}, {}, "device cuda is not supported for serving"),
            ({"pipeline_splits": ("blocks/2",)}, {}, "pipeline_splits are not supported for serving"),
            ({}, {"instances": 4096}, "--instances 4096: each needs a core of its own"),
        ],
    )
    def test_what_cannot_be_served_is_refused_with_the_remedy(self, flags, more, words: str) -> None:
        with pytest.raises(ServingRefused, match=words):
            served_model("a", {**TINY, **flags}, **more)


class TestCoresOfInstances:
    """The threads and the concurrency of a configuration, on a machine with four cores."""

    @pytest.fixture
    def configured(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        """`configured(values)`: as it is served with these values in its configuration."""
        for module in ("serving.served_model", "measurement.settings"):
            monkeypatch.setattr(f"{module}.available_cores", lambda: 4)
        monkeypatch.setattr("serving.served_model.ROOT", tmp_path)

        def serve(values: dict[str, object], instances: int | None = None) -> ServedModel:
            (tmp_path / "configs.yml").write_text(yaml.safe_dump({"own": {**TINY, **values}}))
            return served_model("own", {}, "own", instances=instances)

        return serve

    @pytest.mark.parametrize(
        ("values", "instances", "expected"),
        [
            ({}, None, (4, 1)),
            ({}, 2, (2, 2)),
            ({"threads": 1}, 1, (1, 1)),
            ({"threads": 1}, 2, (2, 1)),
            ({"threads": 2}, 2, (2, 2)),
            ({"threads": 2}, None, (2, 2)),
            ({"threads": 3}, None, (1, 3)),
            ({"threads": 4, "cpu": {"threads": 2}}, 2, (2, 2)),
        ],
    )
    def test_a_configurations_threads_are_those_of_each_instance(
        self, configured, values, instances: int | None, expected: tuple[int, int]
    ) -> None:
        found = configured(values, instances)
        assert (found.instances, found.settings.threads) == expected
        assert not any("threads" in line for line in found.warnings)

    @pytest.mark.parametrize(
        ("threads", "instances", "words"),
        [
            (
                3,
                2,
                "own: threads 3 with --instances 2: each instance has 2 of the 4 cores; "
                "give --instances 1, or threads 2 or fewer",
            ),
            (8, None, "own: threads 8: this process may use 4 cores, .*give threads 4 or fewer, or leave"),
            (8, 2, "own: threads 8: this process may use 4 cores"),
        ],
    )
    def test_threads_that_an_instance_has_no_cores_for_are_refused_with_the_remedy(
        self, configured, threads: int, instances: int | None, words: str
    ) -> None:
        with pytest.raises(ServingRefused, match=words):
            configured({"threads": threads}, instances)

    def test_what_an_instance_does_not_do_concurrently_is_reported_in_one_line(self, configured) -> None:
        found = configured({"replicas": 2, "cpu": {"device_iterations": 8, "streams": 3}})
        assert [line for line in found.warnings if "no effect in a server" in line] == [
            "own: no effect in a server, whose instances (--instances) each compute one request at a time: "
            "replicas 2, device_iterations 8, streams 3"
        ]
        assert not any("--device-iterations" in line for line in found.warnings)
        settings = found.settings
        assert (settings.replicas, settings.device_iterations, settings.streams) == (1, 1, None)

    def test_one_of_each_is_what_an_instance_has_and_is_not_reported(self, configured) -> None:
        found = configured({"replicas": 1, "device_iterations": 1, "streams": 1})
        assert not any("no effect in a server" in line for line in found.warnings)

    def test_stages_are_refused_in_words_of_the_configuration_whatever_the_instances(
        self, configured
    ) -> None:
        with pytest.raises(ServingRefused, match="own: pipeline_splits are not supported for serving"):
            configured({"pipeline_splits": ["blocks/2"]}, 1)


def test_instances_have_cores_of_their_own_by_their_number() -> None:
    cores = cores_in_use()
    shares = [own_cores(f"resnet_18_0_{number}", len(cores)) for number in range(len(cores))]
    assert sorted(core for share in shares for core in share) == sorted(cores)
    assert own_cores("a_0_0", 1) == cores
    assert own_cores("a_0_7", 4096) == cores


@given(images=st.integers(1, 300), largest=st.integers(1, 64))
def test_requests_cover_the_images_in_order_and_none_is_too_large(images: int, largest: int) -> None:
    spans = spans_of(Region("r", (images, 3, 2, 2), "uint8"), largest)
    assert [first for first, _ in spans] == list(np.cumsum([0, *(count for _, count in spans)])[:-1])
    assert all(count in (1, 3, largest) and count <= largest for _, count in spans)
    assert sum(count for _, count in spans) <= images


class TestDifferences:
    expected = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]], np.float32)

    def test_float32_is_held_to_a_ten_thousandth(self) -> None:
        assert not differences(self.expected + 5e-5, self.expected, "float32")
        assert "images [0, 1]" in differences(self.expected + 1e-2, self.expected, "float32")

    def test_in_bfloat16_the_class_counts(self) -> None:
        assert not differences(self.expected * 1.02, self.expected, "bfloat16")
        assert "images [0]" in differences(self.expected[:, ::-1][:1], self.expected[:1], "bfloat16")

    def test_of_two_classes_that_rounding_cannot_distinguish_either_is_right(self) -> None:
        close = np.array([[1.0, 1.001]], np.float32)
        assert not differences(close[:, ::-1], close, "bfloat16")

    def test_another_number_of_answers_is_a_difference(self) -> None:
        assert "shape" in differences(self.expected[:1], self.expected, "float32")


@pytest.mark.parametrize(("clients", "in_flight"), [(1, 4), (4, 2), (8, 2)])
def test_asynchronous_clients_keep_every_instance_busy_and_no_more(clients: int, in_flight: int) -> None:
    assert Load(RequestType.ASYNC, clients).in_flight(instances=2) == in_flight
    assert Load(RequestType.SYNC, clients).in_flight(instances=2) == 1


def test_the_servers_counts_are_figures_and_no_settings() -> None:
    """Settings must be the same for two runs to be compared; counts never are."""
    settings = served_model("a", TINY).settings
    took_ns = np.full(200, 2_000_000)
    nothing = np.zeros(200, np.int64)
    found = Measurement(1, nothing, took_ns, nothing, None, took_ns, False, 2, 0, 0, 0)
    rate, trip = throughput(1, took_ns), latency(found)
    counted = Counters(200, 0, 200, 180, 200 * 1_500_000, 0, 200 * 3_000_000, 0)
    text = results(
        settings,
        rate,
        trip,
        Facts("float32", 0, 2, {}),
        {**metrics(rate, trip), **counted.lines(), "clients": "4"},
    )
    parser = DriverParser()
    parser.feed(text + "\n")
    parsed = parser.parsed()
    assert parsed.problems == ()
    assert parsed.metrics["server_queue"].value == 1.5
    assert parsed.metrics["server_queue"].unit == "ms"
    assert parsed.metrics["server_compute"].value == 3.0
    assert parsed.metrics["throughput"].value == 500.0
    assert parsed.metrics["server_executions"].value == 180
    assert parsed.metrics["failed_requests"].direction == "lower"
    assert {"clients", "micro_batch_size"} <= set(parsed.settings)
    assert not any(key.startswith(("server_", "failed_")) for key in parsed.settings)


def test_counts_of_two_times_are_subtracted() -> None:
    assert Counters(*range(8)) - Counters(*[1] * 8) == Counters(*range(-1, 7))
