"""The application of an entry: the folder to which its preparation belongs, and the files named there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from examples_utils.spec.loader import Benchmark


@dataclass(frozen=True)
class Application:
    """`folder` is where its pre_run_commands run. `searched` are the folders in which its files were looked for."""

    folder: Path
    requirements: Path | None
    apt_packages: Path | None
    searched: tuple[Path, ...]


def application_of(benchmark: Benchmark) -> Application:
    """Looks for the files of an entry in its location, next to its spec, and in the parents up to the checkout's root.

    A path is relative to the application's folder, which is the one in which the file is found. Where the entry
    names no file, or none that is there, it is the folder of the command.
    """
    searched = tuple(dict.fromkeys(_search_path(benchmark)))
    requirements = _find(benchmark.requirements_file, searched)
    apt_packages = _find(benchmark.apt_packages_file, searched)
    folder = next((found[0] for found in (requirements, apt_packages) if found), benchmark.folder)
    return Application(
        folder, requirements[1] if requirements else None, apt_packages[1] if apt_packages else None, searched
    )


def _search_path(benchmark: Benchmark) -> Iterator[Path]:
    spec_folder = benchmark.spec_folder
    folders = (spec_folder, *spec_folder.parents)
    root = next((folder for folder in folders if (folder / ".git").exists()), None)
    yield benchmark.folder
    for folder in folders:
        if root is None and folder != spec_folder and _is_shared(folder):
            return
        yield folder
        if folder == root:
            return


def _is_shared(folder: Path) -> bool:
    """Whether a folder outside any checkout holds files of others, which must not be installed."""
    try:
        writable_by_all = folder.stat().st_mode & stat.S_IWOTH
    except OSError:
        return True
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        home = None
    return bool(writable_by_all) or folder in (Path(folder.anchor), home)


def _find(name: str | None, folders: tuple[Path, ...]) -> tuple[Path, Path] | None:
    """Returns the application's folder and the file."""
    if name is None:
        return None
    for folder in folders:
        file = folder / name
        if file.is_file():
            return (file.parent if Path(name).is_absolute() else _base(folder, name)), file
    return None


def _base(folder: Path, name: str) -> Path:
    """Returns the folder to which the file's path is relative: `../requirements.txt` belongs to the parent."""
    ups = [part for part in Path(os.path.normpath(name)).parts if part == os.pardir]
    return Path(os.path.normpath(folder.joinpath(*ups)))
