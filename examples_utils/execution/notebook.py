"""Executes a Jupyter notebook and prints its cells' output; run as a file, in a process of its own.

It needs only the standard library and nbclient, so that it works wherever the notebook's kernel does.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

_INSTALLS = re.compile(r"^\s*[%!]\s*(?:python3?\s+-m\s+)?(?:pip3?|conda|mamba)\s+install\b", re.MULTILINE)


def main() -> int:
    """Returns 0 if every cell ran, 1 if one failed, 2 if the notebook or a package is missing."""
    parser = argparse.ArgumentParser(description="Execute a notebook and print its cells' output.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--timeout", type=float, help="seconds for a cell (default: no limit)")
    arguments = parser.parse_args()
    try:
        import nbformat
        from nbclient import NotebookClient  # noqa: F401
    except ImportError as error:
        print(f"{error.name} is missing: pip install -e '.[notebook]'", file=sys.stderr)
        return 2
    try:
        notebook = nbformat.read(arguments.notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.ValidationError) as error:
        print(f"{arguments.notebook}: cannot be read as a notebook: {error}", file=sys.stderr)
        return 2
    return _execute(notebook, arguments.timeout)


def _execute(notebook: Any, timeout_s: float | None) -> int:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        # Only a fresh kernel finds the packages that a cell installs, so the output is that of a second pass.
        if _installs_packages(notebook):
            print("the notebook installs packages: executing it a first time", flush=True)
            _client(notebook, timeout_s, show=False).execute()
        _client(notebook, timeout_s, show=True).execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _client(notebook: Any, timeout_s: float | None, show: bool) -> Any:
    from nbclient import NotebookClient

    timeout = None if timeout_s is None else max(int(timeout_s), 1)
    return NotebookClient(
        notebook,
        timeout=timeout,
        on_cell_executed=_print_cell if show else None,
        resources={"metadata": {"path": "."}},
    )


def _print_cell(cell: Any, cell_index: int, execute_reply: Any) -> None:
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            stream = sys.stderr if output.name == "stderr" else sys.stdout
            print(output.text, end="", file=stream, flush=True)
        elif output.output_type == "execute_result":
            print(output.data.get("text/plain", ""), flush=True)


def _installs_packages(notebook: Any) -> bool:
    return any(cell.cell_type == "code" and _INSTALLS.search(cell.source) for cell in notebook.cells)


if __name__ == "__main__":
    raise SystemExit(main())
