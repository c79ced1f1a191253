"""Fills a folder with real images: photographs that installed packages ship, or the user's own images.

Run through `datasets/get_images.sh`. Needs Pillow, but imports neither torch nor the packages with the photographs,
which it only locates.
"""

import argparse
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from datasets.errors import DataError
from datasets.image_files import printable
from datasets.own_images import MAX_FILES, copy_own_images
from datasets.packaged_photographs import COUNT, copy_packaged_photographs

# Hidden, so it does not count as an image; marks a complete folder and records where its images came from.
SOURCE_FILE = ".source"
# The second set of them: the first, without a number, contained textures, drawings and scans.
PACKAGES, FIRST_SET = "photographs of installed packages, set 2", "photographs of installed packages"


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parse_arguments()
    folder: Path = options.to or options.root / "data" / "images"
    count: int = options.count or COUNT
    packaged = f"{PACKAGES}, {count} images"
    source: str = _canonical(options.source) if options.source else packaged
    asked = options.source is not None or options.count is not None
    _exit_on_termination()
    try:
        if (message := _already_filled(folder, source, asked=asked)) is not None:
            print(printable(message))
            return 0
        count = _fill_atomically(
            folder,
            source,
            (lambda target: copy_packaged_photographs(target, count))
            if options.source is None
            else lambda target: copy_own_images(source, target),
        )
    except (DataError, OSError) as error:
        print(f"get_images.sh: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("get_images.sh: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(printable(f"{folder}: {count} images"))
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="datasets/get_images.sh",
        description="Put real JPEG images and their labels.csv into data/images/ of this checkout. "
        f"Without --from, copy photographs from installed packages, and add crops of them until there are {COUNT}, "
        "without downloading anything.",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--from",
        dest="source",
        metavar="URL-or-folder",
        help="your own images: a folder, a .zip or .tar.* archive, or the http(s) address of an archive, of up to "
        "200,000 files, 20 GiB in all and 256 MiB each; its "
        "labels.csv (columns file,index,name) is copied too. To use a folder in place, give it to "
        "run_benchmark.py --images DIR",
    )
    kind.add_argument(
        "--count",
        type=_count,
        metavar="N",
        help=f"how many images (default: {COUNT}); crops of the photographs, resampled to their size and the same in "
        "every folder, are added until there are N. `make images COUNT=N` passes it on",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="the folder to fill (default: data/images)")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_FILES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of images: give 1 to {MAX_FILES:,}")
    return int(text)


def _canonical(source: str) -> str:
    return source if "://" in source else str(Path(source).resolve())


def _exit_on_termination() -> None:
    def exit_now(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, exit_now)


def _already_filled(folder: Path, source: str, *, asked: bool) -> str | None:
    """The message if there is nothing to do, else None. Raises `DataError` if the folder has other content."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file: give a folder with --to")
    marker = folder / SOURCE_FILE
    present = (
        marker.read_text("utf-8", "surrogateescape").strip()
        if marker.is_file()
        else "files put there by hand"
    )
    if asked and present != source:
        raise DataError(
            f"{folder} already contains images ({present}): delete it first, or give another folder with --to"
        )
    renewal = (
        f"; an earlier set: delete {folder} and run this again for the current one"
        if present == FIRST_SET
        else ""
    )
    return f"{folder}: the images are already present ({present}{renewal})"


def _fill_atomically(folder: Path, source: str, fill: Callable[[Path], int]) -> int:
    """Fills a temporary folder next to `folder`, then renames it, so that `folder` is complete or absent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    with _temporary_folder(folder) as temporary:
        count = fill(temporary)
        (temporary / SOURCE_FILE).write_text(source + "\n", "utf-8", "surrogateescape")
        try:
            temporary.rename(folder)
        except OSError:
            # A concurrent process was first.
            if not (folder / SOURCE_FILE).is_file():
                raise
    return count


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    temporary = folder.parent / f".{folder.name}.{os.getpid()}.partial"
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Removes temporary folders of processes that were killed."""
    for leftover in folder.parent.glob(f".{folder.name}.*.partial"):
        pid = leftover.name.split(".")[-2]
        if not (pid.isdecimal() and _is_running(int(pid))):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


if __name__ == "__main__":
    sys.exit(main())
