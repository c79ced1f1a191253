"""The wrapper where there is no server; what it does with one is in tests_serial."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving import binary
from serving.errors import TritonMissing

ROOT = Path(__file__).parents[2]


def test_without_the_extra_it_reports_in_one_line_how_to_get_it() -> None:
    # Without site-packages there is no extra, whatever is installed here.
    command = [sys.executable, "-S", "run_benchmark_with_triton_server.py", "tests_serial/tritonserver/"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the package tritonclient is not installed: run `make setup-triton`")


def test_a_client_without_a_server_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "find_spec", lambda name: object())
    monkeypatch.setenv("PATH", "/nowhere")

    def absent(name: str) -> None:
        raise binary.PackageNotFoundError(name)

    monkeypatch.setattr(binary, "distribution", absent)
    with pytest.raises(
        TritonMissing, match="no tritonserver on PATH, and no package nvidia-pytriton: run `make"
    ):
        binary.find_triton()


def server_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path, python: str) -> Path:
    """A server with a Python backend of its own, as in NVIDIA's container."""
    program, stub = folder / "bin/tritonserver", folder / "backends/python" / binary.STUB
    for path, content in ((program, b"#!/bin/sh\n"), (stub, b"\0libpython%s.so.1.0\0" % python.encode())):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        path.chmod(0o755)
    monkeypatch.setattr(binary, "find_spec", lambda name: object())
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_a_server_on_path_whose_backend_is_of_another_python_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server_on_path(monkeypatch, tmp_path, "3.8")
    words = r"runs models in Python 3\.8, .*make PYTHON=python3\.8 .*from PATH"
    with pytest.raises(TritonMissing, match=words):
        binary.find_triton()


def test_a_server_on_path_whose_backend_is_of_this_python_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = server_on_path(monkeypatch, tmp_path, f"{sys.version_info.major}.{sys.version_info.minor}")
    assert binary.find_triton().program == program


def test_a_python_that_the_package_has_no_backend_for_is_reported_with_those_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pytriton/tritonserver/python_backend_stubs/3.8").mkdir(parents=True)

    class Package:
        version = "0.7.0"

        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(binary, "find_spec", lambda name: object())
    monkeypatch.setattr(binary, "distribution", lambda name: Package())
    monkeypatch.setenv("PATH", "/nowhere")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(TritonMissing, match=rf"no backend for Python {python} \(it has: 3.8\).*make PYTHON="):
        binary.find_triton()
