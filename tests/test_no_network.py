"""No test connects to the internet: the options of pytest-socket in pyproject.toml refuse it."""

import socket
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

RESERVED_FOR_DOCUMENTATION = "192.0.2.1"  # RFC 5737: nobody's


def test_a_connection_to_another_machine_is_refused() -> None:
    with (
        socket.socket() as client,
        pytest.warns(UserWarning, match="tried to use"),
        pytest.raises(SocketConnectBlockedError, match=RESERVED_FOR_DOCUMENTATION),
    ):
        client.connect((RESERVED_FOR_DOCUMENTATION, 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_connection_to_this_machine_is_allowed(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1])).close()


def test_a_unix_socket_is_allowed(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
