"""Reads the JSON of a result file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

Steps = tuple[str | int, ...]
# A night of hundreds of variants takes a few megabytes. A larger file is refused before it is read: as objects,
# it would take ten times its size in memory.
LARGEST_FILE_BYTES = 128 << 20


class UnusableError(Exception):
    """The file is not readable JSON; `place` is line and column if known."""

    def __init__(self, message: str, place: str = "/") -> None:
        self.place = place
        super().__init__(message)


class NotANumber:
    """NaN or an infinity, which Python reads from a file although they are not JSON."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def read_results(file: Path) -> tuple[Any, bool]:
    """Returns the document, and whether it contains NaN or an infinity.

    Raises:
        UnusableError: The file is missing, empty, too large, or not JSON.
        RecursionError: The document is nested too deeply.
    """
    noted: list[NotANumber] = []

    def note(text: str) -> NotANumber:
        noted.append(NotANumber(text))
        return noted[-1]

    try:
        state = file.stat()
        if not S_ISREG(state.st_mode):
            raise UnusableError("is not a file; name a benchmark_results.json")
        if state.st_size > LARGEST_FILE_BYTES:
            raise UnusableError(
                f"has {state.st_size / 1e6:.0f} MB; files over {LARGEST_FILE_BYTES >> 20} MiB are not read, as the "
                f"results of a run take a few; check the variant_result.json of its variants instead"
            )
        text = file.read_bytes().decode("utf-8")
        if not text.strip():
            raise UnusableError("is empty; rebuild it with: collect LOG_DIR")
        return json.loads(text, parse_constant=note), bool(noted)
    except OSError as error:
        raise UnusableError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnusableError(f"is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        # The error position of an unterminated string is its beginning.
        cut_off = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        remedy = "; it is cut off: rebuild it with collect LOG_DIR" if cut_off else ""
        raise UnusableError(
            f"is not valid JSON: {error.msg}{remedy}", f"{error.lineno}:{error.colno}"
        ) from None
    except ValueError as error:  # a number with too many digits
        raise UnusableError(f"is not a result file: {error}") from None


def not_numbers(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, NotANumber]]:
    """Yields every NaN and infinity in a document, with the path to it."""
    if isinstance(value, NotANumber):
        yield steps, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from not_numbers(inner, (*steps, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from not_numbers(inner, (*steps, index))
