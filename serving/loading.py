"""Loads and unloads models of a running server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from serving.errors import NoAnswer, ServingError
from serving.instance import READY
from serving.server import POLL_S, Server

LOAD_S = 300.0
"""How long instances may take to start and to compile their model; 10 s is usual."""

UNLOAD_S = 300.0


@contextmanager
def loaded(server: Server, name: str) -> Iterator[list[dict[str, Any]]]:
    """Loads the model `name`, and yields the facts that each of its instances reports; unloads it at the end.

    Raises `ServingError`, naming the model, if it does not load. Other models remain served.
    """
    known = server.log.stat().st_size
    server.ask(server.control.is_server_live)  # detects a server that hangs sooner than loading would
    try:
        server.ask(server.control.load_model, name, within_s=LOAD_S)
    except NoAnswer:
        raise
    except ServingError as error:
        raise ServingError(
            f"the model {name} does not load: {_reason(str(error))}; the log: {server.log}"
        ) from None
    try:
        yield _facts_of_instances(server, name, known)
    finally:
        with suppress(NoAnswer):  # the server is gone, and the model with it
            server.ask(server.control.unload_model, name)
            _wait_until_unloaded(server, name)


def state_of(server: Server, name: str) -> str:
    """`READY`, `UNAVAILABLE`, …; empty if the server has no such model. Raises `ServingError`."""
    index = server.ask(server.control.get_model_repository_index)
    return next((str(model.state) for model in index.models if model.name == name), "")


def _wait_until_unloaded(server: Server, name: str) -> None:
    """Waits, as unloading continues after the server has confirmed it, and would disturb the next measurement."""
    until_s = time.monotonic() + UNLOAD_S
    while state_of(server, name) not in ("", "UNAVAILABLE"):
        if time.monotonic() > until_s:
            raise ServingError(f"the model {name} is still not unloaded after {UNLOAD_S:.0f} s")
        time.sleep(POLL_S)


def _facts_of_instances(server: Server, name: str, known: int) -> list[dict[str, Any]]:
    """The lines that instances print once they are ready; the server offers no other way to report them."""
    with server.log.open("rb") as log:
        log.seek(known)
        lines = log.read().decode("utf-8", "replace").splitlines()
    facts = [json.loads(line.removeprefix(READY)) for line in lines if line.startswith(READY)]
    return [instance for instance in facts if instance["model"] == name]


def _reason(message: str) -> str:
    """The last line of a traceback, or the message itself, on one line."""
    lines = [line.strip() for line in message.splitlines() if line.strip() and not line.startswith(" ")]
    meaningful = [line for line in lines if not line.startswith("At:")]
    return " ".join(meaningful)[:600] or message[:600]
