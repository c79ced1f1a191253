"""Finds the newest checkpoint of a training command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

_OPTIONS = ("--checkpoint-dir", "--checkpoint-output-dir", "--checkpoints-dir", "--checkpoint-path")


def latest_checkpoint(argv: Sequence[str], folder: Path, since: datetime) -> str | None:
    """Returns the newest entry, written after `since`, in the checkpoint folder of the command's options."""
    for index, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option.replace("_", "-") not in _OPTIONS:
            continue
        named = value if equals else argv[index + 1] if index + 1 < len(argv) else ""
        if named and (newest := _newest(folder / named, since.timestamp())):
            return str(newest)
    return None


def _newest(folder: Path, since_s: float) -> Path | None:
    try:
        dated = [(entry.stat().st_mtime, entry) for entry in folder.iterdir()]
    except OSError:
        return None
    # File systems round modification times down, some to whole seconds.
    recent = [(time_s, entry) for time_s, entry in dated if time_s >= since_s - 1]
    return max(recent)[1] if recent else None
