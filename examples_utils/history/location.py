"""Locates and opens the history for the command line."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.history.redaction import without_password
from examples_utils.problems import RequestError

if TYPE_CHECKING:
    from examples_utils.history.store import History

VARIABLE = "EXAMPLES_UTILS_HISTORY"
DEFAULT = "history.db"


def history_url(given: str | None) -> str:
    """Returns the value of `--history`, else that of the environment, else `history.db` in the current folder."""
    return given or os.environ.get(VARIABLE) or DEFAULT


def refuse_without_packages() -> None:
    """Raises RequestError if a package that the history needs is not installed."""
    for package in ("sqlalchemy", "alembic"):
        if find_spec(package) is None:
            raise RequestError(
                f"a history needs the package {package}, which is not installed: pip install -e '.[history]'"
            )


@contextlib.contextmanager
def opened_history(given: str | None, *, create: bool = False) -> Iterator[History]:
    """Opens the selected history, see `store.open_history`.

    Raises:
        RequestError: It cannot be opened, or a package for it is not installed.
    """
    refuse_without_packages()
    from examples_utils.history.store import open_history

    with open_history(history_url(given), create=create) as history:
        yield history


def add_command(log_folder: Path, given: str | None) -> str:
    """Returns the command that adds a log folder's results, with `***` in place of a password."""
    shown = without_password(history_url(given))
    command = ["python3", "-m", "examples_utils", "history", "add", str(log_folder), "--history", shown]
    return shlex.join(command)
