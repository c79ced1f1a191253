"""Virtual environments and distributions for tests, made without a network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import examples_utils

ORIGINAL = "def load_lib(path):\n    return 'the original'\n"


def make_environment(folder: Path, python: str | Path = sys.executable) -> Path:
    """An environment without pip, of which the runner's own takes care."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)
    return folder


def with_all_packages(environment: Path) -> Path:
    """An environment that finds the packages of the tests' own, and our checkout, as well as its own."""
    make_environment(environment)
    paths = [
        str(Path(examples_utils.__file__).parents[1]),
        *(path for path in sys.path if "site-packages" in path),
    ]
    (site_packages(environment) / "packages.pth").write_text("\n".join(paths))
    return environment


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def install(environment: Path, name: str, text: str, version: str = "9.9") -> None:
    """Puts a distribution with one package into the environment, as pip would."""
    with zipfile.ZipFile(wheel(environment, name, text, version)) as archive:
        archive.extractall(site_packages(environment))


def wheel(folder: Path, name: str, text: str, version: str = "9.9") -> Path:
    """A file that pip can install: one package, whose `__init__.py` is `text`."""
    package = name.replace("-", "_")
    file = folder / f"{package}-{version}-py3-none-any.whl"
    info = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{package}/__init__.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return file


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with the digest of its bytes, and every link with its target.

    Without bytecode, which any start of Python may write.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and path.suffix != ".pyc":
            found[name] = sha256(path.read_bytes()).hexdigest()
    return found
