"""Copies the user's own images from a folder or an archive, which is downloaded if needed."""

import io
import lzma
import re
import struct
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from datasets.errors import DataError
from datasets.image_files import LABELS_FILE, is_image_name
from datasets.image_limits import MAX_PIXELS, TOO_MANY_PIXELS, pixel_count

TIMEOUT_S = 30
# Far above ImageNet's 50,000 images for validation in 6.3 GiB, and far below what fills a disk.
MAX_FILES, MAX_FILE_BYTES, MAX_BYTES = 200_000, 256 << 20, 20 << 30
_BLOCK_BYTES = 1 << 20
# What the modules of the standard library raise for archives that are damaged, encrypted or of an unknown method.
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, struct.error, EOFError, RuntimeError,
            ValueError, IndexError, KeyError, OverflowError)  # fmt: skip


Info = TypeVar("Info")


@dataclass(frozen=True)
class Member:
    """A file in an archive or a folder: its relative path, and a function that opens it."""

    path: PurePosixPath
    open: Callable[[], IO[bytes] | None]


def copy_own_images(source: str, folder: Path) -> int:
    """Copies images and labels.csv from a folder, an archive or the address of an archive into `folder`.

    Keeps relative paths, without a single top-level folder. Returns the number of images.
    Raises `DataError` if the source is not available, contains no images, or would write outside `folder`.
    """
    with ExitStack() as stack:
        if "://" in source:
            # In the target folder, which has enough space and is cleaned up.
            download = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix=".download-"))
            _fetch(source, download)
            members = _archive_members(Path(download.name), source, stack)
        elif Path(source).is_dir():
            members = _folder_members(Path(source))
        elif Path(source).is_file():
            members = _archive_members(Path(source), source, stack)
        else:
            raise DataError(f"--from {source}: no such folder or file")
        return _copy(_images_and_labels(members, source), folder, source)


def _fetch(url: str, target: IO[bytes]) -> None:
    if not url.startswith(("http://", "https://")):
        raise DataError(f"--from {url}: only http:// and https:// addresses can be downloaded")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            expected = response.headers.get("Content-Length")
            if expected is not None and not re.fullmatch(r"\s*\d{1,18}\s*", expected, re.ASCII):
                raise ValueError(f"its Content-Length is {expected[:40]!r}, which is no number of bytes")
            _copy_limited(response, target, MAX_BYTES, "the download")
    except DataError as error:
        raise DataError(f"--from {url}: {error}") from error
    except (OSError, HTTPException, ValueError) as error:
        # Only the reason of a URLError is readable, but the text of an HTTPError (a subclass) includes the status.
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise DataError(
            f"--from {url}: download failed: {reason}: check the address and the network, "
            "or download the archive yourself and give its path"
        ) from error
    target.flush()
    if expected is not None and target.tell() != int(expected):
        raise DataError(
            f"--from {url}: the connection ended after {target.tell()} of {expected} bytes: try again"
        )


def _archive_members(archive: Path, source: str, stack: ExitStack) -> list[Member]:
    try:
        if zipfile.is_zipfile(archive):
            unzipped = stack.enter_context(zipfile.ZipFile(archive))
            return [
                Member(_inside(info.filename, source), partial(unzipped.open, info))
                for info in _limited(unzipped.infolist(), lambda info: info.file_size, source)
                if not info.is_dir()
            ]
        if tarfile.is_tarfile(archive):
            untarred = stack.enter_context(tarfile.open(archive))  # noqa: SIM115
            # Links are left out, as they may point anywhere; isfile() is true only for regular files.
            members = [
                Member(_inside(info.name, source), partial(untarred.extractfile, info))
                for info in _limited(untarred, lambda info: info.size, source)
                if info.isfile()
            ]
            _check_end(untarred)
            return members
    except DataError:
        raise
    except (*_DAMAGED, OSError) as error:
        raise DataError(f"--from {source}: the archive is damaged: {_reason(error)}") from error
    raise DataError(f"--from {source}: neither a folder nor a .zip or .tar.* archive")


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuses an archive whose list ends at a damaged header, which tarfile takes for its end.

    Reads the rest, too: the checksum of compressed data comes last. Raises what the modules raise for damaged ones.
    """
    if archive.fileobj is None:
        return
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"no header of a file at byte {archive.offset}")
    while archive.fileobj.read(_BLOCK_BYTES):
        pass


def _limited(infos: Iterable[Info], size_of: Callable[[Info], int], source: str) -> Iterator[Info]:
    """Yields what an archive lists, up to the limits. Raises `DataError` beyond them, before anything is unpacked."""
    total_bytes = 0
    for count, info in enumerate(infos, 1):
        total_bytes += max(size_of(info), 0)
        if count > MAX_FILES or total_bytes > MAX_BYTES:
            raise DataError(
                f"--from {source}: contains more than {MAX_FILES:,} files or {MAX_BYTES >> 30} GiB: unpack what you "
                "need yourself, and give the folder to run_benchmark.py --images DIR"
            )
        yield info


def _inside(name: str, source: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"--from {source}: refused, as its member {name!r} would be written outside the folder: "
            "recreate the archive with relative paths"
        )
    return path


def _folder_members(source: Path) -> list[Member]:
    return [
        Member(PurePosixPath(path.relative_to(source).as_posix()), partial(io.FileIO, path))
        for path in sorted(source.rglob("*"))
        if path.is_file()
    ]


def _images_and_labels(members: Iterable[Member], source: str) -> list[Member]:
    """The images and labels.csv, without hidden files and without a single top-level folder."""
    visible = [
        member
        for member in members
        if (is_image_name(member.path.name) or member.path.name == LABELS_FILE)
        and not any(part.startswith((".", "__MACOSX")) for part in member.path.parts)
    ]
    for member in visible:
        if not _is_utf8(str(member.path)):
            raise DataError(f"--from {source}: the name {str(member.path)!r} is not UTF-8: rename this file")
    if len(visible) > MAX_FILES:
        raise DataError(
            f"--from {source}: contains more than {MAX_FILES:,} images: use the folder in place, with "
            "run_benchmark.py --images DIR"
        )
    if not any(is_image_name(member.path.name) for member in visible):
        raise DataError(f"--from {source}: contains no image files (.jpg, .jpeg, .png, …)")
    if all(len(member.path.parts) > 1 for member in visible) and (
        len({member.path.parts[0] for member in visible}) == 1
    ):
        return [Member(PurePosixPath(*member.path.parts[1:]), member.open) for member in visible]
    return visible


def _copy(members: Iterable[Member], folder: Path, source: str) -> int:
    images, left_bytes = 0, MAX_BYTES
    for member in members:
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # tarfile returns None for anything but a regular file, and such members were left out.
            with member.open() or io.BytesIO() as stream, target.open("wb") as out:
                # What the archive states as their size need not be true.
                left_bytes -= _copy_limited(stream, out, min(MAX_FILE_BYTES, left_bytes), str(member.path))
        except DataError as error:
            raise DataError(f"--from {source}: {error}") from error
        except _DAMAGED as error:
            raise DataError(f"--from {source}: {member.path} cannot be unpacked: {_reason(error)}") from error
        if is_image_name(member.path.name):
            images += 1
            if (pixel_count(target) or 0) > MAX_PIXELS:
                raise DataError(f"--from {source}: {member.path} has {TOO_MANY_PIXELS}")
    return images


def _copy_limited(stream: IO[bytes], target: IO[bytes], most_bytes: int, name: str) -> int:
    """Copies a stream and returns the number of bytes. Raises `DataError` if there are more than `most_bytes`."""
    count = 0
    while block := stream.read(_BLOCK_BYTES):
        count += len(block)
        if count > most_bytes:
            raise DataError(f"{name} is larger than {most_bytes >> 20} MiB, the most that is unpacked")
        target.write(block)
    return count


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
