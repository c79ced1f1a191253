"""Fill a folder with real photographs: those that installed packages ship, or the user's own.

Run through `datasets/get_images.sh`. Needs Pillow, but neither torch nor the packages that it takes the
photographs from, of which it only looks up where they lie.
"""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from datasets.errors import DataError
from datasets.own_images import copy_own_images
from datasets.packaged_photographs import copy_packaged_photographs

# Hidden, so it does not count as an image; it tells a finished folder and where its images came from.
SOURCE_FILE = ".source"
PACKAGES = "photographs of installed packages"


def main() -> int:
    options = _parse_arguments()
    folder: Path = options.to or options.root / "data" / "images"
    source: str = _canonical(options.source) if options.source else PACKAGES
    _exit_on_termination()
    try:
        if (answer := _present_already(folder, source, asked=options.source is not None)) is not None:
            print(answer)
            return 0
        count = _fill_atomically(
            folder,
            source,
            copy_packaged_photographs
            if options.source is None
            else lambda target: copy_own_images(source, target),
        )
    except (DataError, OSError) as error:
        print(f"get_images.sh: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("get_images.sh: interrupted; nothing was left behind", file=sys.stderr)
        return 130
    print(f"{folder}: {count} images")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="datasets/get_images.sh",
        description="Put real JPEG photographs and their labels.csv into data/images/ of this checkout. "
        "Without --from they are taken from installed packages, and nothing is downloaded.",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="URL-or-folder",
        help="your own images: a folder, a .zip or .tar.* archive, or the http(s) address of an archive; its "
        "labels.csv (columns file,index,name) is taken along. A folder can also be used where it is, with "
        "run_benchmark.py --images DIR",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="the folder to fill (default: data/images)")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    return parser.parse_args()


def _canonical(source: str) -> str:
    return source if "://" in source else str(Path(source).resolve())


def _exit_on_termination() -> None:
    def exit_now(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, exit_now)


def _present_already(folder: Path, source: str, *, asked: bool) -> str | None:
    """Return what to say if nothing is to be done. Raises DataError if the folder holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if not folder.is_dir():
        raise DataError(f"{folder}: a folder is to be filled, but this is a file: give another one with --to")
    marker = folder / SOURCE_FILE
    present = marker.read_text(encoding="utf-8").strip() if marker.is_file() else "files put there by hand"
    if asked and present != source:
        raise DataError(
            f"{folder} is filled already ({present}): delete it first, or give another folder with --to"
        )
    return f"{folder}: the images are there already ({present})"


def _fill_atomically(folder: Path, source: str, fill: Callable[[Path], int]) -> int:
    """Fill a temporary folder beside `folder`, then rename it: `folder` is whole or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    with _temporary_folder(folder) as temporary:
        count = fill(temporary)
        (temporary / SOURCE_FILE).write_text(source + "\n", encoding="utf-8")
        try:
            temporary.rename(folder)
        except OSError:
            # Another process that ran at the same time was first.
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
    """Remove temporary folders of processes that were killed before they could."""
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
