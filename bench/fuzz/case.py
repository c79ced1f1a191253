"""A fuzz case: one hostile file, and what it stands for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "@FOLDER@"
"""Stands in the text of a case for the folder in which it is tried."""


@dataclass(frozen=True)
class Case:
    """`kind` is spec, record, results or output.

    `name` is the parser of an output, or the file's path in the log folder for a record. Bytes that are not UTF-8
    are surrogates in `text`, as in `os.fsdecode`.
    """

    kind: str
    text: str
    name: str = ""
    seed: str = ""

    def content(self, folder: Path) -> bytes:
        """The bytes of the file, in this folder."""
        return b"".join(map(_bytes, self.text.replace(FOLDER, str(folder))))


def text_of(content: bytes) -> str:
    """The inverse of `Case.content`."""
    return content.decode("utf-8", errors="surrogateescape")


def store(case: Case, fault: str, folder: Path, name: str) -> Path:
    """Writes a case that fails, with its fault, to a file that `load` reads. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"fault": fault, **asdict(case)}, indent=2) + "\n")
    return file


def load(file: Path) -> Case:
    """Reads a stored case. Raises OSError, ValueError or TypeError if it is none."""
    stored = json.loads(file.read_text())
    if not isinstance(stored, dict):
        raise TypeError("is not a stored case")
    return Case(**{name: value for name, value in stored.items() if name != "fault"})


def _bytes(character: str) -> bytes:
    # A surrogate that stands for a byte is that byte; any other becomes what UTF-8 would make of it.
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return character.encode("utf-8", errors="surrogatepass")
