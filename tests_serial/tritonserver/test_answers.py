"""The server's answers, and its errors for requests that it cannot answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import yaml

from measurement.machine import cores_in_use
from serving import served_model
from serving.answers import differences, in_process, spans_of
from serving.connection import Client, Connection, RequestType
from serving.errors import ServingError
from serving.server import POLL_S, Server
from serving.statistics import Counters, counters
from tests.patience import HANG_S
from tests_serial.tritonserver.tiny import OTHER, TINY


def client_of(found, shared_memory: bool | None = None, model: str | None = None) -> Client:
    largest = found.served.settings.micro_batch_size
    name = model or found.served.name
    shared_memory = found.shared_memory if shared_memory is None else shared_memory
    return Client(found.server.address, name, found.region, largest, RequestType.SYNC, 1, shared_memory)


def assert_right(found, expected: np.ndarray, shared_memory: bool | None = None) -> None:
    with Connection(client_of(found, shared_memory)) as connection:
        for first, count in spans_of(found.region, found.served.settings.micro_batch_size):
            got = connection.ask(first, count)
            assert not differences(got, expected[first : first + count], found.dtype)


def test_photographs_get_the_drivers_answers_whatever_the_size_of_the_request(
    at_server, repository: Path
) -> None:
    """With 1, 3 and the maximum number of images; pixels inside the requests and in shared memory."""
    expected = in_process(at_server.served, at_server.region, repository)
    assert len({row.tobytes() for row in expected}) > 1  # of different images
    for shared_memory in {at_server.shared_memory, False}:
        assert_right(at_server, expected, shared_memory)


@pytest.fixture(scope="module")
def tiny(serve) -> Iterator[object]:
    with serve("tiny", TINY) as found:
        yield found


@pytest.fixture(scope="module")
def expected_of_tiny(tiny, repository: Path) -> np.ndarray:
    return in_process(tiny.served, tiny.region, repository)


class TestRequestsThatCannotBeAnswered:
    """Each error quotes the server, and the next request is answered."""

    @pytest.mark.parametrize(
        ("shape", "dtype", "model", "words"),
        [
            ((5, 3, 160, 160), np.uint8, None, "batch-size must be <= 4"),
            ((1, 3, 150, 160), np.uint8, None, "unexpected shape for input 'pixels'"),
            ((1, 3, 160, 160), np.float32, None, "expected to be UINT8|inference input 'pixels' data-type"),
            ((1, 3, 160, 160), np.uint8, "nobody", "unknown model: 'nobody'|'nobody' is not found"),
        ],
        ids=["too-many-images", "wrong-shape", "wrong-type", "unknown-model"],
    )
    def test_the_servers_message_is_quoted(
        self, tiny, expected_of_tiny: np.ndarray, shape, dtype, model: str | None, words: str
    ) -> None:
        from tritonclient.grpc import InferInput
        from tritonclient.utils import np_to_triton_dtype

        with Connection(client_of(tiny, model=model)) as connection:
            made = InferInput("pixels", list(shape), np_to_triton_dtype(dtype))
            made.set_data_from_numpy(np.zeros(shape, dtype))
            connection.prepared[0, shape[0]] = [made]
            with pytest.raises(ServingError, match=f"a request failed: .*(?:{words})"):
                connection.ask(0, shape[0])
        assert_right(tiny, expected_of_tiny)

    def test_images_beyond_the_shared_memory_are_refused(self, tiny, expected_of_tiny: np.ndarray) -> None:
        if not tiny.shared_memory:
            pytest.skip("--shared-memory none")
        with (
            Connection(client_of(tiny)) as connection,
            pytest.raises(ServingError, match=r"a request failed: .*Invalid offset"),
        ):
            connection.ask(tiny.region.shape[0], 1)
        assert_right(tiny, expected_of_tiny)


def test_two_models_are_served_at_once(serve, tiny, expected_of_tiny: np.ndarray, repository: Path) -> None:
    with serve("other", OTHER) as other:
        expected = in_process(other.served, other.region, repository)
        wrong: list[BaseException] = []

        def check(found, answers: np.ndarray) -> None:
            try:
                for _ in range(5):
                    assert_right(found, answers)
            except BaseException as error:
                wrong.append(error)

        threads = [
            threading.Thread(target=check, args=pair)
            for pair in ((tiny, expected_of_tiny), (other, expected))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def test_onnxruntime_answers_alike(serve, repository: Path) -> None:
    with serve("tiny-onnxruntime", {**TINY, "backend": "onnxruntime"}) as found:
        assert found.instances[0]["effective"]["engine"] == "onnxruntime"
        assert_right(found, in_process(found.served, found.region, repository))


def test_a_configuration_may_name_its_engine(
    serve, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs.yml").write_text(yaml.safe_dump({"own": {**TINY, "backend": "onnxruntime"}}))
    monkeypatch.setattr(served_model, "ROOT", tmp_path)
    for option, engine in ((None, "onnxruntime"), ("openvino", "openvino")):
        monkeypatch.setattr(request.config.option, "backend", option)
        with serve("own", None, "own") as found:
            assert found.instances[0]["effective"]["engine"] == engine


def test_an_instance_computes_with_its_configurations_threads(
    serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs.yml").write_text(yaml.safe_dump({"own-threads": {**TINY, "threads": 1}}))
    monkeypatch.setattr(served_model, "ROOT", tmp_path)
    with serve("own-threads", None, "own-threads", instances=1) as found:
        (instance,) = found.instances
        assert instance["effective"]["threads"] == 1
        assert instance["cores"] == sorted(cores_in_use())


def test_without_shared_memory_the_server_is_given_none(
    serve, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request.config.option, "shared_memory", "none")
    with serve("tiny-none", TINY) as found:
        status = found.server.ask(found.server.control.get_system_shared_memory_status)
        assert found.region.name not in status.regions
        with Connection(client_of(found)) as connection:
            connection.ask(0, 1)


def test_dynamic_batching_computes_several_requests_at_once_and_answers_each_its_own(
    serve, repository: Path
) -> None:
    with (
        serve("tiny-batching", TINY, instances=1, dynamic_batching_us=100_000) as found,
        ExitStack() as open_,
    ):
        expected = in_process(found.served, found.region, repository)
        before = counters(found.server, "tiny-batching")
        connection = open_.enter_context(Connection(client_of(found)))
        answers: dict[int, np.ndarray] = {}
        all_there = threading.Semaphore(0)
        images = found.region.shape[0]
        for first in range(images):

            def done(logits, error, first: int = first) -> None:
                answers[first] = logits
                all_there.release()

            connection.send(first, 1, done)
        for _ in range(images):
            all_there.acquire()
        counted = counted_since(before, found.server, "tiny-batching", images)
        assert (counted.requests, counted.images) == (images, images)
        assert counted.executions < images
        got = np.concatenate([answers[first] for first in range(images)])
        assert not differences(got, expected, found.dtype)


def counted_since(before: Counters, server: Server, model: str, requests: int) -> Counters:
    """The counters since `before` of at least `requests`: the server counts a batch after it has sent the answers."""
    until_s = time.monotonic() + HANG_S
    while (counted := counters(server, model) - before).requests < requests and time.monotonic() < until_s:
        time.sleep(POLL_S)
    return counted


def test_every_instance_has_cores_of_its_own_and_reports_what_it_computes_in(tiny) -> None:
    cores = [core for instance in tiny.instances for core in instance["cores"]]
    assert len(tiny.instances) == tiny.served.instances
    assert len(set(cores)) == len(cores)
    for instance in tiny.instances:
        assert instance["effective"]["threads"] == tiny.served.settings.threads
        assert instance["effective"]["dtype"] in ("float32", "bfloat16")
