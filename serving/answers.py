"""The answers of a server to requests of several sizes, compared with the driver's own engine on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from driver.model import compiled_model
from measurement.replica_link import Link
from serving.connection import Client, Connection, RequestType
from serving.errors import ServingError
from serving.repository import VERSION
from serving.served_model import ServedModel
from serving.shared_images import Region, attached

Logits = NDArray[np.float32]
Span = tuple[int, int]
"""The images of one request: the first one, and their number."""

BFLOAT16_EPSILON = 2.0**-7
"""The relative distance of adjacent values above 1, which bounds the error of one rounding."""


def spans_of(region: Region, largest: int) -> list[Span]:
    """Requests of 1, 3 and `largest` images alternately, over all images of the region."""
    sizes = [size for size in (1, 3, largest) if size <= largest]
    spans, first, number = [], 0, 0
    while first + sizes[number % len(sizes)] <= region.shape[0]:
        size = sizes[number % len(sizes)]
        spans.append((first, size))
        first, number = first + size, number + 1
    return spans


def answers(client: Client, spans: Sequence[Span], link: Link) -> list[Logits]:
    """A client's job: sends the requests, SYNC or ASYNC, and returns the server's logits for each."""
    with Connection(client) as connection:
        link.begin(None)
        if client.request_type is RequestType.SYNC:
            return [connection.ask(*span) for span in spans]
        return _together(connection, spans, client.in_flight)


def in_process(served: ServedModel, region: Region, repository: Path) -> Logits:
    """The logits `(images, classes)` that the driver's engine computes in this process from the same export."""
    batch = served.settings.micro_batch_size
    settings = replace(served.settings, threads=None, model_cache_path=repository / served.name / VERSION)
    with (
        closing(compiled_model(settings, served.pixels, served.weights).executable) as executable,
        attached(region) as pixels,
    ):
        parts = [
            executable.run([pixels[at : at + batch].copy()]).outputs[0].copy() for at in region.firsts(batch)
        ]
    return np.concatenate(parts).astype(np.float32)


def differences(got: Logits, expected: Logits, dtype: str) -> str:
    """The differences of the answers `(images, classes)` beyond rounding; empty if there are none.

    In float32: up to 1e-4 of the image's largest output (with random weights outputs may be in the hundreds). In
    bfloat16, whose rounding depends on the batch, only the top-1 class is compared: it must be the expected one, or
    one whose output differs from it by no more than rounding.
    """
    if got.shape != expected.shape:
        return f"shape {got.shape} instead of {expected.shape}"
    if dtype == "float32":
        scale = np.maximum(abs(expected).max(axis=1), 1.0)
        wrong = abs(got - expected).max(axis=1) > 1e-4 * scale
        wrong |= ~np.isfinite(got).all(axis=1)
        return (
            f"images {np.flatnonzero(wrong).tolist()} by up to {abs(got - expected).max():.2e}"
            if wrong.any()
            else ""
        )
    of_top1 = np.take_along_axis(expected, got.argmax(axis=1)[:, None], axis=1)[:, 0]
    wrong = of_top1 < expected.max(axis=1) - 4 * BFLOAT16_EPSILON * abs(expected).max(axis=1)
    return f"images {np.flatnonzero(wrong).tolist()} have another top-1 class" if wrong.any() else ""


def _together(connection: Connection, spans: Sequence[Span], in_flight: int) -> list[Logits]:
    found: list[Future[Logits]] = [Future() for _ in spans]
    for number, span in enumerate(spans):
        if number >= in_flight:
            found[number - in_flight].result()
        connection.send(*span, partial(_note, found[number]))
    return [one.result() for one in found]


def _note(found: Future[Logits], logits: Logits | None, error: ServingError | None) -> None:
    if error is not None or logits is None:
        found.set_exception(error or ServingError("an answer without logits"))
    else:
        found.set_result(logits)
