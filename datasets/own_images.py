"""The user's own images: copied from a folder, or unpacked from an archive, which may have to be fetched."""

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
    """A file of an archive or a folder: its relative path, and how to open it."""

    path: PurePosixPath
    open: Callable[[], IO[bytes] | None]


def copy_own_images(source: str, folder: Path) -> int:
    """Copy images and labels.csv from a folder, an archive or the address of an archive into `folder`.

    Paths are kept, but for a single folder around everything. Returns the number of images.
    Raises DataError if the source cannot be had, holds no images, or would write outside of `folder`.
    """
    with ExitStack() as stack:
        if "://" in source:
            # In the folder to be filled, since that is surely large enough and is cleaned up.
            download = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix=".download-"))
            _fetch(source, download)
            members = _archive_members(Path(download.name), source, stack)
        elif Path(source).is_dir():
            members = _folder_members(Path(source))
        elif Path(source).is_file():
            members = _archive_members(Path(source), source, stack)
        else:
            raise DataError(f"--from {source}: there is no such folder or file")
        return _copy(_wanted(members, source), folder, source)


def _fetch(url: str, target: IO[bytes]) -> None:
    if not url.startswith(("http://", "https://")):
        raise DataError(f"--from {url}: only http:// and https:// addresses can be fetched")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            shutil.copyfileobj(response, target)
            expected = response.headers.get("Content-Length")
    except (OSError, HTTPException, ValueError) as error:
        # Of a URLError only the reason is for people, but an HTTPError (a kind of it) also tells the status.
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise DataError(
            f"--from {url}: cannot be fetched: {reason}: check the address and the network, "
            "or fetch the archive yourself and give its path"
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
            # Links are left out, since they may point anywhere; isfile() is true of regular files alone.
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
            f"--from {source}: refused, since its member {name!r} would be written outside of the folder: "
            "pack the archive anew, with relative paths"
        )
    return path


def _folder_members(source: Path) -> list[Member]:
    return [
        Member(PurePosixPath(path.relative_to(source).as_posix()), partial(io.FileIO, path))
        for path in sorted(source.rglob("*"))
        if path.is_file()
    ]


def _wanted(members: Iterable[Member], source: str) -> list[Member]:
    """Return images and labels.csv, without hidden files and without a folder that surrounds them all."""
    visible = [
        member
        for member in members
        if (is_image_name(member.path.name) or member.path.name == LABELS_FILE)
        and not any(part.startswith((".", "__MACOSX")) for part in member.path.parts)
    ]
    if not any(is_image_name(member.path.name) for member in visible):
        raise DataError(f"--from {source}: holds no image files (.jpg, .jpeg, .png, ...)")
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
            # tarfile returns None for what is not a regular file, and such members were left out.
            with member.open() or io.BytesIO() as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
        # RuntimeError is how zipfile reports an encrypted member.
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
            raise DataError(f"--from {source}: {member.path} cannot be unpacked: {error}") from error
        images += is_image_name(member.path.name)
    return images
