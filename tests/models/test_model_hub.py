"""timm's hub: downloaded once, used from the cache, and reported quickly if unreachable."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from models import ModelError, build_model, hub
from tests.fresh_process import FRESH
from tests.patience import HANG_S

pytestmark = pytest.mark.processes


def _report(
    weights: Sequence[str],
    environment: Mapping[str, str],
    probe_s: float,
    resolver_hangs: bool,
    answer: Connection,
) -> None:
    """What a fresh process is given for each of `weights`."""
    assert "huggingface_hub" not in sys.modules  # it reads its environment when it is imported
    os.environ.clear()
    os.environ.update(environment)
    if resolver_hangs:
        socket.getaddrinfo = lambda *address, **hints: threading.Event().wait()  # type: ignore[assignment]
    hub.PROBE_TIMEOUT_S = probe_s

    before = dict(os.environ)
    report: dict[str, object] = {}
    for which in weights:
        try:
            built = build_model("mobilenet-v3-small", weights=which)
            logits = built.module(torch.ones(1, 3, 32, 32))[0, :5].tolist()
            report |= {"weights": built.weights, "warnings": list(built.warnings), "logits": logits}
        except ModelError as error:
            report["error"] = str(error)
    report["environment_kept"] = before == dict(os.environ)
    answer.send(report)


def _build(
    tmp_path: Path,
    *weights: str,
    probe_s: float = HANG_S,
    resolver_hangs: bool = False,
    **environment: str,
) -> dict[str, object]:
    inherited = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment = {
        **inherited,
        "HF_HOME": str(tmp_path / "hf"),
        "TORCH_HOME": str(tmp_path / "torch"),
        "HF_HUB_OFFLINE": "0",
        **environment,
    }
    ours, theirs = FRESH.Pipe()
    arguments = (weights or ["auto"], environment, probe_s, resolver_hangs, theirs)
    process = FRESH.Process(target=_report, args=arguments)
    process.start()
    theirs.close()
    try:
        assert ours.poll(HANG_S)
        report: dict[str, object] = ours.recv()
    finally:
        process.kill()
        process.join()
    assert report["environment_kept"]
    return report


def test_a_hub_that_refuses_is_reported_in_one_warning(tmp_path: Path) -> None:
    report = _build(tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{_closed_port()}")
    assert report["weights"] == "random"
    (warning,) = report["warnings"]  # type: ignore[misc]
    assert "cannot be reached" in warning
    assert "\n" not in warning


def test_users_are_promised_a_report_of_an_unreachable_hub_within_five_seconds() -> None:
    assert hub.PROBE_TIMEOUT_S < 5


def test_a_hub_that_never_answers_is_asked_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        report = _build(tmp_path, "pretrained", probe_s=0.5, HF_ENDPOINT=endpoint)
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):  # the client's own retries take a minute
            silent.accept()
    assert "no answer" in str(report["error"]) or "timed out" in str(report["error"])


def test_a_name_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    report = _build(
        tmp_path, "pretrained", probe_s=0.5, resolver_hangs=True, HF_ENDPOINT="http://hub.example"
    )
    assert "no answer within 0.5 s" in str(report["error"])


def test_a_hub_in_trouble_is_not_retried(tmp_path: Path) -> None:
    with _hub(b"", status=503) as (endpoint, requests):
        report = _build(tmp_path, HF_ENDPOINT=endpoint)
    assert report["weights"] == "random"
    assert "503" in str(report["warnings"])
    assert requests == ["HEAD"]


def test_offline_mode_asks_nobody(tmp_path: Path) -> None:
    with _hub(b"") as (endpoint, requests):
        report = _build(tmp_path, "auto", "pretrained", HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in str(report["warnings"])
    assert "--weights pretrained: HF_HUB_OFFLINE is set" in str(report["error"])
    assert requests == []


def test_weights_are_fetched_once_and_then_used_offline(tmp_path: Path) -> None:
    trained = build_model("mobilenet-v3-small", weights="random", seed=9).module
    with _hub(save(trained.state_dict())) as (endpoint, _):
        fetched = _build(tmp_path, "pretrained", HF_ENDPOINT=endpoint)
    cached = _build(tmp_path, "auto", HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="1")

    expected = trained(torch.ones(1, 3, 32, 32))[0, :5].tolist()
    for report in (fetched, cached):
        assert report["weights"] == "pretrained"
        assert report["warnings"] == []
        assert report["logits"] == pytest.approx(expected, rel=1e-4)


def test_a_spoilt_file_from_the_hub_is_named(tmp_path: Path) -> None:
    with _hub(b"an error page instead of weights") as (endpoint, _):
        report = _build(tmp_path, "pretrained", HF_ENDPOINT=endpoint)
    assert "model.safetensors does not contain weights" in str(report["error"])


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def _hub(content: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A hub whose every file is ``content``, as its address and the methods it was asked with."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            requests.append(self.command)
            self.send_response(status)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Silent: a test's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
