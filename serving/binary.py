"""Finds the server's program: on PATH, or in the package nvidia-pytriton."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from serving.errors import TritonMissing

STUB = "triton_python_backend_stub"
REMEDY = "run `make setup-triton`, or run this inside NVIDIA's Triton container"


@dataclass(frozen=True)
class Triton:
    """A server's program; `backends` is the folder to link its Python backend from, None if it has its own.

    `environment` is added to the environment of this process.
    """

    program: Path
    backends: Path | None = None
    stub: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def find_triton() -> Triton:
    """The server on PATH, else that of the package.

    Raises `TritonMissing`, with a one-line message, if there is none, or none for this Python.
    """
    if find_spec("tritonclient") is None:
        raise TritonMissing(f"the package tritonclient is not installed: {REMEDY}")
    # The Python backend starts the first `python3` on PATH: with the folder of this one first, models see the packages
    # of this process, including those of a virtual environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if program := shutil.which("tritonserver"):
        _require_this_python(Path(program))
        return Triton(Path(program), environment={"PATH": path})
    try:
        package = distribution("nvidia-pytriton")
    except PackageNotFoundError:
        raise TritonMissing(f"no tritonserver on PATH, and no package nvidia-pytriton: {REMEDY}") from None
    root = Path(str(package.locate_file("pytriton/tritonserver")))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = root / "python_backend_stubs" / python / STUB
    if not stub.exists():
        known = ", ".join(sorted(folder.name for folder in stub.parents[1].glob("3.*"))) or "none"
        raise TritonMissing(
            f"nvidia-pytriton {package.version} has no backend for Python {python} (it has: {known}): "
            "create the virtual environment with one of these, `make PYTHON=python3.11 setup-triton`"
        )
    libraries = [folder_of_libpython(), Path(str(package.locate_file("nvidia_pytriton.libs")))]
    inherited = os.environ.get("LD_LIBRARY_PATH", "")
    return Triton(
        root / "bin" / "tritonserver",
        root / "backends" / "python",
        stub,
        {
            "PATH": path,
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [*map(str, libraries), inherited])),
        },
    )


def link_python_backend(triton: Triton, folder: Path) -> list[str]:
    """The server's arguments for its Python backend; for the package's server, links its parts into `folder`."""
    if triton.backends is None or triton.stub is None:
        return []
    backend = folder / "python"
    backend.mkdir(parents=True)
    for part in (*triton.backends.glob("*.so"), *triton.backends.glob("*.py"), triton.stub):
        (backend / part.name).symlink_to(part)
    return [f"--backend-directory={folder}"]


def _require_this_python(program: Path) -> None:
    """Checks a server with its own backends, whose stub runs models in the Python that it is linked with."""
    stub = program.resolve().parent.parent / "backends/python" / STUB
    linked = re.search(rb"libpython(\d+\.\d+)\.so", stub.read_bytes()) if stub.exists() else None
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if linked is not None and (its := linked[1].decode()) != python:
        raise TritonMissing(
            f"{program} runs models in Python {its}, which cannot load the packages of this Python {python}: create "
            f"the virtual environment with `make PYTHON=python{its} setup-triton`, or remove this server from PATH to "
            "use nvidia-pytriton's"
        )


def folder_of_libpython() -> Path:
    """The folder of this Python's shared library, which the stub needs; not every Python comes with one.

    Raises `TritonMissing` if there is none.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    library = f"libpython{python}.so.1.0"
    places = [sysconfig.get_config_var(name) for name in ("LIBDIR", "LIBPL")]
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders = [Path(place) for place in places if place]
    for folder in (*folders, *(folder / multiarch for folder in folders), Path("/usr/lib") / multiarch):
        if (folder / library).exists():
            return folder
    raise TritonMissing(
        f"the server's Python backend needs {library}, which was not found: apt-get install libpython{python}"
    )
