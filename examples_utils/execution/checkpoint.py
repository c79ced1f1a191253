"""Finds the newest checkpoint of a training command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

_OPTIONS = ("--checkpoint-dir", "--checkpoint-output-dir", "--checkpoints-dir", "--checkpoint-path")
_SUFFIXES = (".pt", ".pth", ".h5")


def latest_checkpoint(argv: Sequence[str], folder: Path, since: datetime) -> Path | None:
    """Returns the newest checkpoint, written after `since`, in the checkpoint folder of the command's options.

    It is a checkpoint file in that folder, or a folder anywhere below: one that contains checkpoint files, or, where
    there is none, any. Other files, such as logs, do not count.
    """
    for index, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option.replace("_", "-") not in _OPTIONS:
            continue
        named = value if equals else argv[index + 1] if index + 1 < len(argv) else ""
        if named and (newest := _newest((folder / named).resolve(), since.timestamp())):
            return newest
    return None


def _newest(folder: Path, since_s: float) -> Path | None:
    # File systems round modification times down, some to whole seconds.
    recent = [found for found in _dated(folder) if found[1] >= since_s - 1]
    return max(recent)[2] if recent else None


def _dated(folder: Path) -> Iterator[tuple[bool, float, Path]]:
    """Yields each candidate: whether it is or contains a checkpoint file, the newest such file's time, and its path."""
    with contextlib.suppress(OSError):
        for entry in folder.rglob("*"):
            with contextlib.suppress(OSError):  # trainers remove old checkpoints
                times_s = [file.stat().st_mtime for file in _checkpoint_files(entry, folder)]
                if times_s or entry.is_dir():
                    yield bool(times_s), max(times_s, default=entry.stat().st_mtime), entry


def _checkpoint_files(entry: Path, folder: Path) -> list[Path]:
    candidates = entry.iterdir() if entry.is_dir() else [entry] if entry.parent == folder else []
    return [file for file in candidates if file.suffix in _SUFFIXES]
