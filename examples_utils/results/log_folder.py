"""The log folder: where a run keeps everything, so that no finished result can be lost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from examples_utils.planning.folder_names import EARLIER_RUNS
from examples_utils.planning.options import RunOptions
from examples_utils.problems import RequestError
from examples_utils.results.record import VariantResult, record_text

RECORD_FILE = "variant_result.json"
_RUN_FILE = "run.json"
_RUN_WIDE = (
    "benchmark_results.*",
    "*.log",
    "*-monitor.*",
    "preparation",
    "canary",
    "nightly_verdict.json",
    "report.html",
    _RUN_FILE,
)


@contextlib.contextmanager
def new_log_folder(
    wished: str | None, options: RunOptions, variants: Mapping[str, Mapping[str, Any]]
) -> Iterator[Path]:
    """A folder for a fresh run, held by this process alone. An earlier run in it is moved aside, not lost.

    ``variants`` are those of the plan, by their folder (see ``planning.folder_names``). They are noted, so that none
    is forgotten if the run is stopped, and so that a later run moves their folders and nothing else: the log
    folder may well be one that holds other things.

    Raises:
        RequestError: the folder cannot be written, or another run is using it.
    """
    folder = Path(wished) if wished else time_stamped(Path("logs"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--log-dir {folder}: cannot be made: {error.strerror}") from None
    with _held(folder.absolute()) as held:
        _move_earlier_run_aside(held)
        run = {"options": options.as_json(), "variants": variants}
        write_durably(held / _RUN_FILE, record_text(run))
        yield held


@contextlib.contextmanager
def resumed_log_folder(folder: Path) -> Iterator[tuple[Path, RunOptions]]:
    """The folder of a run that was stopped, and what that run had been asked for. Raises RequestError."""
    options = stored_options(folder)
    if options is None:
        raise RequestError(
            f"--resume {folder}: holds no run (no readable {_RUN_FILE}); name a run's --log-dir"
        )
    with _held(folder.absolute()) as held:
        yield held, options


def stored_options(folder: Path) -> RunOptions | None:
    """What the run in this folder was asked for, or None if that cannot be read."""
    try:
        return RunOptions.from_json(json.loads((folder / _RUN_FILE).read_text("utf-8"))["options"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def planned_variants(folder: Path) -> list[dict[str, Any]]:
    """What the run in this folder was to run, as keys of records; empty if that cannot be read."""
    return [variant for variant in _noted_variants(folder / _RUN_FILE).values() if isinstance(variant, dict)]


def repetition_folder(log_folder: Path, variant: str, repetition: int, repeat: int) -> Path:
    """Where one execution keeps its stdout, stderr and record; ``variant`` is the variant's folder."""
    return log_folder / variant / f"repetition_{repetition}" if repeat > 1 else log_folder / variant


def store(result: VariantResult, folder: Path) -> None:
    """Puts the record into its folder; when this returns it survives a crash of the machine."""
    write_durably(folder / RECORD_FILE, record_text(result.as_json()))


def stored_results(log_folder: Path) -> tuple[list[VariantResult], list[str]]:
    """All records in a log folder in the order in which they were started, and what could not be read."""
    results, unreadable = [], []
    for file in record_files(log_folder):
        try:
            results.append(VariantResult.from_json(json.loads(file.read_text("utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            unreadable.append(f"{file}: is no record of a variant and was left out: {error}")
    return in_order(results), unreadable


def record_files(log_folder: Path) -> list[Path]:
    """The records of single executions in a log folder."""
    # Not deeper: log folders of other runs may lie inside this one.
    return sorted(
        [*log_folder.glob(f"*/*/{RECORD_FILE}"), *log_folder.glob(f"*/*/repetition_*/{RECORD_FILE}")]
    )


def in_order(results: Iterable[VariantResult]) -> list[VariantResult]:
    """In the order in which they were started."""
    return sorted(results, key=lambda result: (result.start_time or "", result.repetition))


def write_durably(file: Path, text: str) -> None:
    """Replaces the file as a whole: a reader, or a crash, sees the old one or the new one."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    _sync_folder(file.parent)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Path]:
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise RequestError(f"--log-dir {folder}: cannot be written: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RequestError(f"--log-dir {folder}: another run is using it; name another folder") from None
        yield folder


def _move_earlier_run_aside(folder: Path) -> None:
    run = folder / _RUN_FILE
    if not run.exists():
        return
    when = datetime.fromtimestamp(run.stat().st_mtime).strftime("%Y-%m-%d-%H.%M.%S")
    aside = _unused(folder / EARLIER_RUNS / when)
    aside.mkdir(parents=True)
    for name in _noted_variants(run):
        if (folder / name).is_dir():
            (aside / name).parent.mkdir(exist_ok=True)
            (folder / name).rename(aside / name)
            with contextlib.suppress(OSError):  # other things may lie beside the variants
                (folder / name).parent.rmdir()
    # run.json goes last: a crash on the way leaves it to be done again.
    for pattern in _RUN_WIDE:
        for entry in folder.glob(pattern):
            entry.rename(aside / entry.name)


def _noted_variants(run: Path) -> dict[str, Any]:
    try:
        variants = json.loads(run.read_text("utf-8"))["variants"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {
        folder: variant for folder, variant in variants if len(Path(folder).parts) == 2 and ".." not in folder
    }


def time_stamped(parent: Path, prefix: str = "") -> Path:
    """A folder in ``parent`` that is not there yet, called by the date and time."""
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
