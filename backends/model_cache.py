"""A cache folder of exported models, one file each, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backends.base import Artefact
from backends.writable_folder import make_writable

FORMAT = 1
CONTENTS = "contents.json"

LEFTOVER_S = 3600.0
"""Age at which an unfinished file must belong to a process that was killed: writing one takes seconds."""


@dataclass(frozen=True)
class Entry:
    """An exported model, and the warnings that building it printed."""

    artefact: Artefact
    warnings: tuple[str, ...]


class UnusableEntry(ValueError):
    """A file at the path of an entry that is damaged or foreign."""


@dataclass(frozen=True)
class ModelCache:
    """Entries are zip archives (stored, not compressed), so that users can extract the models."""

    folder: Path

    def path(self, name: str, key: str) -> Path:
        """The file of the entry `key`; `name` makes it recognisable to people."""
        return self.folder / f"{name.replace('/', '-')}-{key[:24]}.zip"

    def read(self, name: str, key: str) -> Entry | None:
        """The entry, or None. Raises `UnusableEntry` for a damaged or foreign file."""
        path = self.path(name, key)
        try:
            with zipfile.ZipFile(path) as archive:
                contents = json.loads(archive.read(CONTENTS))
                if (contents["format"], contents["key"]) != (FORMAT, key):
                    raise UnusableEntry("it belongs to another model or format")
                artefact = {part: archive.read(part) for part in contents["sha256"]}
                warnings = tuple(map(str, contents["warnings"]))
        except FileNotFoundError:
            return None
        except UnusableEntry:
            raise
        # A damaged archive makes zipfile and json raise nearly anything: BadZipFile, KeyError, TypeError,
        # NotImplementedError, zlib.error, OSError.
        except Exception as error:
            raise UnusableEntry(f"{type(error).__name__}: {error}") from error
        if _digests(artefact) != contents["sha256"]:
            raise UnusableEntry("its content does not match its stored digest")
        return Entry(artefact, warnings)

    def write(self, name: str, key: str, entry: Entry) -> None:
        """Writes the entry atomically: readers see the old file or the new one, never a part.

        Raises `OSError` if it cannot be written.
        """
        path = self.path(name, key)
        unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.partial")
        contents = {
            "format": FORMAT,
            "key": key,
            "sha256": _digests(entry.artefact),
            "warnings": list(entry.warnings),
        }
        try:
            with unfinished.open("xb") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    archive.writestr(CONTENTS, json.dumps(contents))
                    for part, content in entry.artefact.items():
                        archive.writestr(part, content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(self.folder)


def open_cache(folder: Path) -> ModelCache:
    """The cache in `folder`, which is created if needed.

    Raises `BackendError`, naming the flag, if the folder cannot be created or written to.
    """
    make_writable(folder, "--model-cache-path", ", or leave the option out")
    _remove_leftovers(folder)
    return ModelCache(folder)


def _digests(artefact: Artefact) -> dict[str, str]:
    return {part: hashlib.sha256(content).hexdigest() for part, content in artefact.items()}


def _remove_leftovers(folder: Path) -> None:
    """Removes unfinished files of writers that were killed."""
    oldest_s = time.time() - LEFTOVER_S
    for path in folder.glob(".*.partial"):
        with suppress(OSError):  # another process may be removing it too
            if path.stat().st_mtime < oldest_s:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power failure; not every file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
