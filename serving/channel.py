"""gRPC channels to the server on this machine, and the status of their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

_UNLIMITED = -1
_OPTIONS = (
    # gRPC would use a proxy from the environment for 127.0.0.1 too, unless no_proxy excludes it.
    ("grpc.enable_http_proxy", 0),
    # The client sets these itself only if it is given no options.
    ("grpc.max_send_message_length", _UNLIMITED),
    ("grpc.max_receive_message_length", _UNLIMITED),
)


def connect(address: str) -> InferenceServerClient:
    """A client of the server at `address`; it connects with its first call."""
    from tritonclient.grpc import InferenceServerClient

    return InferenceServerClient(address, channel_args=list(_OPTIONS))


def status_of(error: InferenceServerException) -> str:
    """The error's name in gRPC, such as `UNAVAILABLE` or `DEADLINE_EXCEEDED`."""
    return str(error.status()).removeprefix("StatusCode.")
