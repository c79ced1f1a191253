"""The log folder: everything that a run produces, stored so that no finished result is lost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from examples_utils.planning.folder_names import EARLIER_RUNS, RUN_FILE, RUN_WIDE
from examples_utils.planning.options import RunOptions
from examples_utils.problems import RequestError
from examples_utils.results.record import VariantResult, identity_of, record_text

RECORD_FILE = "variant_result.json"
_OF_A_VARIANT = (RECORD_FILE, "stdout*", "stderr*", "repetition_*", "*_profile")


@contextlib.contextmanager
def new_log_folder(
    requested: str | None, options: RunOptions, variants: Mapping[str, Mapping[str, Any]]
) -> Iterator[Path]:
    """Creates a folder for a new run, locked by this process. Moves an earlier run in it aside, so that it is not lost.

    `variants` are those of the plan, by their folder (see `planning.folder_names`). They are recorded, so that none
    is forgotten if the run is stopped, and so that a later run moves their folders and nothing else: the log
    folder may well contain other files.

    Raises:
        RequestError: The folder cannot be written, or another run is using it.
    """
    folder = Path(requested) if requested else time_stamped(Path("logs"))
    try:
        folder.mkdir(0o700 if options.keep_secrets else 0o777, parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--log-dir {folder}: cannot be created: {error.strerror}") from None
    if options.keep_secrets:
        _make_private(folder)
    with _locked(folder.absolute()) as held:
        try:
            _move_earlier_run_aside(held)
            note_run(held, options, variants)
        except OSError as error:
            raise RequestError(f"--log-dir {folder}: cannot be used: {error}; name another folder") from None
        yield held


def _make_private(folder: Path) -> None:
    """Leaves the folder to its owner. Refuses one that also holds other files, which are not ours to hide."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & 0o077:
        return
    if mode & stat.S_ISVTX or (any(folder.iterdir()) and not (folder / RUN_FILE).is_file()):
        raise RequestError(
            f"--keep-secrets: others can read --log-dir {folder}, which holds other files; name a new folder, or "
            f"chmod 700 this one"
        )
    try:
        folder.chmod(0o700)
    except OSError as error:
        raise RequestError(
            f"--keep-secrets: --log-dir {folder}: chmod 700 failed: {error.strerror}"
        ) from None


@contextlib.contextmanager
def resumed_log_folder(folder: Path) -> Iterator[tuple[Path, RunOptions]]:
    """Opens the folder of a stopped run, and returns that run's options. Raises RequestError."""
    options = stored_options(folder)
    if options is None:
        raise RequestError(
            f"--resume {folder}: contains no run (no readable {RUN_FILE}); name a run's --log-dir"
        )
    with _locked(folder.absolute()) as held:
        yield held, options


def note_run(folder: Path, options: RunOptions, variants: Mapping[str, Mapping[str, Any]]) -> None:
    """Records the options of a run and its variants, by their folder, in addition to those that it noted before."""
    noted = _noted_variants(folder / RUN_FILE)
    write_durably(
        folder / RUN_FILE, record_text({"options": options.as_json(), "variants": {**noted, **variants}})
    )


def noted_folders(folder: Path) -> dict[tuple[str, str, str], str]:
    """Returns the folder of each variant that the run has noted, by its identity (see `record.identity_of`)."""
    folders = {}
    for name, variant in _noted_variants(folder / RUN_FILE).items():
        with contextlib.suppress(KeyError, TypeError):  # a damaged file
            folders[identity_of(variant)] = name
    return folders


def stored_options(folder: Path) -> RunOptions | None:
    """Returns the options of the run in this folder, or None if they cannot be read."""
    try:
        return RunOptions.from_json(json.loads((folder / RUN_FILE).read_text("utf-8"))["options"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def planned_variants(folder: Path) -> list[Any]:
    """Returns the planned variants of the run in this folder, unchecked; empty if they cannot be read."""
    return list(_noted_variants(folder / RUN_FILE).values())


def repetition_folder(log_folder: Path, variant: str, repetition: int, repeat: int) -> Path:
    """Returns the folder of one execution's stdout, stderr and record; `variant` is the variant's folder."""
    return log_folder / variant / f"repetition_{repetition}" if repeat > 1 else log_folder / variant


def store(result: VariantResult, folder: Path) -> None:
    """Writes the record to its folder; when this returns, it survives a crash of the machine."""
    write_durably(folder / RECORD_FILE, record_text(result.as_json()))


def record_files(log_folder: Path) -> list[Path]:
    """Returns the records of single executions in a log folder."""
    folders = ("*", "*/repetition_*", "*/*", "*/*/repetition_*")
    found = {file for pattern in folders for file in log_folder.glob(f"{pattern}/{RECORD_FILE}")}
    return sorted(file for file in found if not _of_another_run(file, log_folder))


def _of_another_run(record: Path, log_folder: Path) -> bool:
    """This folder may contain log folders of other runs."""
    inner = record.relative_to(log_folder).parents
    return any((log_folder / folder / RUN_FILE).is_file() for folder in inner if folder != Path())


def in_order(results: Iterable[VariantResult]) -> list[VariantResult]:
    """Sorts results by their start."""
    return sorted(results, key=lambda result: (result.start_time or "", result.repetition))


def write_durably(file: Path, text: str) -> None:
    """Replaces the file atomically: after a crash, it is the old one or the new one."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    _sync_folder(file.parent)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    # Not through a link, and without waiting for the reader of a FIFO.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        lock = os.open(folder / ".lock", flags, 0o666)
    except OSError as error:
        raise RequestError(f"--log-dir {folder}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise RequestError(f"--log-dir {folder}: another run is using it; name another folder") from None
    try:
        yield folder
    finally:
        os.close(lock)


def _move_earlier_run_aside(folder: Path) -> None:
    run = folder / RUN_FILE
    if not run.exists():
        return
    when = datetime.fromtimestamp(run.stat().st_mtime).strftime("%Y-%m-%d-%H.%M.%S")
    aside = _unused(folder / EARLIER_RUNS / when)
    aside.mkdir(parents=True)
    for name in _noted_variants(run):
        _move_variant(folder / name, aside / name)
    # run.json goes last: after a crash in between, the move is repeated.
    for pattern in RUN_WIDE:
        for entry in folder.glob(pattern):
            entry.rename(aside / entry.name)


def _move_variant(folder: Path, target: Path) -> None:
    """Moves what runs write there; the folder may contain files of the user as well."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return
    moved = [entry for pattern in _OF_A_VARIANT for entry in folder.glob(pattern)]
    if moved:
        target.mkdir(parents=True, exist_ok=True)
    for entry in moved:
        entry.rename(target / entry.name)
    for emptied in (folder, folder.parent):
        with contextlib.suppress(OSError):  # not empty
            emptied.rmdir()


def _noted_variants(run: Path) -> dict[str, Any]:
    try:
        variants = json.loads(run.read_text("utf-8"))["variants"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {folder: variant for folder, variant in variants if _may_be_of_variant(Path(folder))}


def _may_be_of_variant(folder: Path) -> bool:
    """Returns whether a run makes such a folder: what a damaged file names must not be moved."""
    names = folder.parts
    return (
        len(names) in (1, 2) and not folder.is_absolute() and ".." not in names and names[0] != EARLIER_RUNS
    )


def time_stamped(parent: Path, prefix: str = "") -> Path:
    """Returns a new path in `parent`, named by date and time."""
    return _unused(parent / f"{prefix}{datetime.now().strftime('%Y-%m-%d-%H.%M.%S')}")


def _unused(path: Path) -> Path:
    candidates: Any = (path.with_name(f"{path.name}-{number}") for number in range(2, 10_000))
    return path if not path.exists() else next(name for name in candidates if not name.exists())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
