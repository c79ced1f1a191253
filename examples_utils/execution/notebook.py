"""Executes a Jupyter notebook and prints its cells' output; run as a file, in a process of its own.

It needs only the standard library and nbclient, so that it works wherever the notebook's kernel does; in Python 3.6,
too, which is that of some Poplar SDKs, and which does not know `from __future__ import annotations`.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

_INSTALLS = re.compile(r"^\s*[%!]\s*(?:python3?\s+-m\s+)?(?:pip3?|conda|mamba)\s+install\b", re.MULTILINE)


def main() -> int:
    """Returns 0 if every cell ran, 1 if one failed, 2 if the notebook or a package is missing or it must not run."""
    parser = argparse.ArgumentParser(description="Execute a notebook and print its cells' output.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--timeout", type=float, default=0.0, help="seconds for a cell (default: no limit)")
    parser.add_argument(
        "--refuse-installation", action="store_true", help="do not run a notebook that installs packages"
    )
    arguments = parser.parse_args()
    try:
        import nbformat
        from nbclient import NotebookClient  # noqa: F401
    except ImportError as error:
        print(
            f"error: {error.name} is missing: {sys.executable} -m pip install nbclient nbformat ipykernel, "
            "or pass --prepare",
            file=sys.stderr,
        )
        return 2
    try:
        notebook = nbformat.read(arguments.notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:
        is_other_json = isinstance(error, (TypeError, AttributeError))
        reason = "its JSON is not that of a notebook" if is_other_json else str(error).partition("\n")[0]
        print(f"error: {arguments.notebook}: cannot be read as a notebook: {reason}", file=sys.stderr)
        return 2
    if arguments.refuse_installation and _installs_packages(notebook):
        print(
            "error: its cells install packages, which would change the runner's own environment; name another with "
            "--python DIR, or pass --prepare",
            file=sys.stderr,
        )
        return 2
    return _execute(notebook, arguments.timeout)


def _execute(notebook: Any, timeout_s: float) -> int:
    from jupyter_client.kernelspec import NoSuchKernel
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
    except NoSuchKernel as error:
        print(f"error: {error}: install it, or choose a Python that has it with --python", file=sys.stderr)
        return 2
    return 0


def _client(notebook: Any, timeout_s: float, show: bool) -> Any:
    from nbclient import NotebookClient

    timeout = max(int(timeout_s), 1) if timeout_s else None
    return NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name=_kernel(notebook),
        on_cell_executed=_print_cell if show else None,
        resources={"metadata": {"path": "."}},
    )


def _kernel(notebook: Any) -> str:
    """Returns the kernel that the notebook names, or this Python's where only its author has that one."""
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager

    named = notebook.metadata.get("kernelspec", {})
    name = str(named.get("name") or NATIVE_KERNEL_NAME)
    if name in KernelSpecManager().find_kernel_specs() or named.get("language", "python") != "python":
        return name
    print(f"warning: the kernel {name} is not installed; using {NATIVE_KERNEL_NAME}", file=sys.stderr)
    return str(NATIVE_KERNEL_NAME)


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
