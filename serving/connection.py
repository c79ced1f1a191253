"""A client's connection: sends requests for images in shared memory, and receives the answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from serving.channel import connect, status_of
from serving.errors import ServingError
from serving.model_config import INPUT, OUTPUT
from serving.shared_images import Region, attached

if TYPE_CHECKING:
    from tritonclient.grpc import InferInput, InferResult
    from tritonclient.utils import InferenceServerException

REQUEST_S = 120.0
"""How long an answer may take: with 8 clients, 16 large batches may be queued before it."""

Done = Callable[["NDArray[np.float32] | None", "ServingError | None"], None]
"""Called with an answer or an error, in a thread of gRPC."""


class RequestType(Enum):
    """SYNC: a client has one request in flight. ASYNC: several, up to a limit."""

    SYNC = "SYNC"
    ASYNC = "ASYNC"


@dataclass(frozen=True)
class Client:
    """The parameters of a client process. Requests refer to images in shared memory, or else contain them."""

    address: str
    model: str
    region: Region
    batch: int
    request_type: RequestType
    in_flight: int
    shared_memory: bool


class Connection:
    """Prepares each request once and sends it repeatedly; use it in a `with` statement."""

    def __init__(self, client: Client) -> None:
        from tritonclient.grpc import InferRequestedOutput

        self._client = client
        self._open = ExitStack()
        self._server = connect(client.address)
        self._open.callback(self._server.close)
        self._pixels = None if client.shared_memory else self._open.enter_context(attached(client.region))
        self._outputs = [InferRequestedOutput(OUTPUT)]
        self.prepared: dict[tuple[int, int], list[InferInput]] = {}

    def ask(self, first: int, count: int) -> NDArray[np.float32]:
        """Logits `(count, classes)` of the images from `first` on. Raises `ServingError`."""
        from tritonclient.utils import InferenceServerException

        try:
            result = self._server.infer(
                self._client.model,
                self._request(first, count),
                outputs=self._outputs,
                client_timeout=REQUEST_S,
            )
        except InferenceServerException as error:
            raise self._failed(error) from None
        return _logits(result)

    def send(self, first: int, count: int, done: Done, within_s: float | None = REQUEST_S) -> None:
        """Sends a request, and returns at once; calls `done` exactly once. `within_s` None: without a time limit."""

        def answered(result: InferResult | None, error: InferenceServerException | None) -> None:
            if error is not None:
                done(None, self._failed(error))
            else:
                done(_logits(result), None)

        self._server.async_infer(
            self._client.model,
            self._request(first, count),
            answered,
            outputs=self._outputs,
            client_timeout=within_s,
        )

    def require_server(self, within_s: float) -> None:
        """Raises `ServingError` if the server is gone, but not if it is too busy to answer within `within_s`."""
        from tritonclient.utils import InferenceServerException

        try:
            self._server.is_server_live(client_timeout=within_s)
        except InferenceServerException as error:
            if status_of(error) != "DEADLINE_EXCEEDED":
                raise self._failed(error) from None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.prepared.clear()
        self._open.close()

    def _request(self, first: int, count: int) -> list[InferInput]:
        known = self.prepared.get((first, count))
        if known is None:
            known = self.prepared[first, count] = [self._input(first, count)]
        return known

    def _input(self, first: int, count: int) -> InferInput:
        from tritonclient.grpc import InferInput
        from tritonclient.utils import np_to_triton_dtype

        region = self._client.region
        made = InferInput(INPUT, [count, *region.shape[1:]], np_to_triton_dtype(np.dtype(region.dtype)))
        if self._pixels is None:
            each = region.image_bytes
            made.set_shared_memory(region.name, count * each, offset=first * each)
        else:
            made.set_data_from_numpy(self._pixels[first : first + count])
        return made

    def _failed(self, error: InferenceServerException) -> ServingError:
        status = status_of(error)
        problem = "the server is gone" if status == "UNAVAILABLE" else "a request failed"
        return ServingError(f"{problem}: {self._client.address} returned {status}: {error.message()}")


def _logits(result: InferResult) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = result.as_numpy(OUTPUT)
    return logits
