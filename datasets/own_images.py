"""Copies the user's own images from a folder or an archive, which is downloaded if needed."""

import io
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO

from datasets.errors import DataError
from datasets.image_files import LABELS_FILE, is_image_name

TIMEOUT_S = 30


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
            shutil.copyfileobj(response, target)
            expected = response.headers.get("Content-Length")
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
                for info in unzipped.infolist()
                if not info.is_dir()
            ]
        if tarfile.is_tarfile(archive):
            untarred = stack.enter_context(tarfile.open(archive))  # noqa: SIM115
            # Links are left out, as they may point anywhere; isfile() is true only for regular files.
            return [
                Member(_inside(info.name, source), partial(untarred.extractfile, info))
                for info in untarred
                if info.isfile()
            ]
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"--from {source}: the archive is damaged: {error}") from error
    raise DataError(f"--from {source}: neither a folder nor a .zip or .tar.* archive")


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
    if not any(is_image_name(member.path.name) for member in visible):
        raise DataError(f"--from {source}: contains no image files (.jpg, .jpeg, .png, …)")
    if all(len(member.path.parts) > 1 for member in visible) and (
        len({member.path.parts[0] for member in visible}) == 1
    ):
        return [Member(PurePosixPath(*member.path.parts[1:]), member.open) for member in visible]
    return visible


def _copy(members: Iterable[Member], folder: Path, source: str) -> int:
    images = 0
    for member in members:
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # tarfile returns None for anything but a regular file, and such members were left out.
            with member.open() or io.BytesIO() as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
        # zipfile reports an encrypted member as RuntimeError.
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
            raise DataError(f"--from {source}: {member.path} cannot be unpacked: {error}") from error
        images += is_image_name(member.path.name)
    return images
