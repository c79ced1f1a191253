"""SHA-256 of files, remembered for as long as their sizes and times stay the same."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from driver.cache_folder import cache_folder
from measurement.machine import available_cores

FORMAT = 1
UNREADABLE = "unreadable"

SETTLED_NS = 2_000_000_000
"""Age from which a file is remembered: one that is written twice within a tick of the clock keeps its times."""

_BLOCK_BYTES = 2**20
_Stamp = tuple[int, int, int]


def file_digests(files: Sequence[Path], belonging_to: Path) -> list[str]:
    """SHA-256 in hexadecimal of the content of each file; `UNREADABLE` for one that is no regular file or unreadable.

    Reads only the files whose size, modification time or change time differ from those of the last call for the same
    `belonging_to`: the folder of the files, or the file itself. Reads in as many threads as there are cores.
    """
    stamps = {os.fspath(file): _stamp(file) for file in files}
    known = {name: entry for name, entry in _remembered(belonging_to).items() if entry[0] == stamps.get(name)}
    unread = [name for name, stamp in stamps.items() if stamp is not None and name not in known]
    if unread:
        now_ns = time.time_ns()
        with ThreadPoolExecutor(available_cores()) as pool:
            for name, digest in zip(unread, pool.map(_read, unread), strict=True):
                if (stamp := stamps[name]) is not None and digest != UNREADABLE:
                    known[name] = stamp, digest
        settled = {name: entry for name, entry in known.items() if now_ns - max(entry[0][1:]) > SETTLED_NS}
        _remember(belonging_to, settled)
    return [known[name][1] if name in known else UNREADABLE for name in map(os.fspath, files)]


def file_digest(file: Path) -> str:
    """The digest of one file. Raises `OSError` if it cannot be read."""
    digest = file_digests([file], file)[0]
    if digest == UNREADABLE:
        raise OSError(errno.EIO, "it is no regular file, or not readable", str(file))
    return digest


def _stamp(file: Path) -> _Stamp | None:
    """Size, and the times of the last changes of content and of inode; None for anything but a regular file.

    Unlike the modification time, the change time cannot be set back.
    """
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns) if stat.S_ISREG(found.st_mode) else None


def _read(name: str) -> str:
    digest = hashlib.sha256()
    try:
        with Path(name).open("rb") as content:
            while block := content.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return digest.hexdigest()


def _memory(belonging_to: Path) -> Path:
    """The file of what is remembered. Raises `OSError` where there is no cache folder."""
    # Not resolved, as a link may lead elsewhere tomorrow.
    name = hashlib.sha256(os.fsencode(belonging_to.absolute())).hexdigest()[:32]
    return cache_folder() / "file-digests" / f"{name}.json"


def _remembered(belonging_to: Path) -> dict[str, tuple[_Stamp, str]]:
    """What the memory holds; nothing if it is absent, damaged or of another format."""
    try:
        content = json.loads(_memory(belonging_to).read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {
            name: ((int(size), int(modified), int(changed)), str(digest))
            for name, (size, modified, changed, digest) in content["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _remember(belonging_to: Path, found: Mapping[str, tuple[_Stamp, str]]) -> None:
    """Replaces the memory as a whole. Where it cannot be written, the files are read again next time."""
    content = {"format": FORMAT, "files": {name: [*stamp, digest] for name, (stamp, digest) in found.items()}}
    with suppress(OSError, UnicodeEncodeError):
        memory = _memory(belonging_to)
        unfinished = memory.with_name(f".{memory.stem}.{secrets.token_hex(8)}.partial")
        memory.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_text(json.dumps(content), "utf-8")
            unfinished.replace(memory)
        finally:
            unfinished.unlink(missing_ok=True)
