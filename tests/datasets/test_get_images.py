"""datasets/get_images.sh, run as its users run it."""

import csv
import functools
import http.server
import io
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from datasets.packaged_photographs import PHOTOGRAPHS
from tests.patience import HANG_S

pytestmark = pytest.mark.processes

SCRIPT = Path(__file__).parents[2] / "datasets" / "get_images.sh"


def get_images(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def own(few: Path) -> Path:
    """A folder of a user's own: two images, one of them in a folder, labels, and things that do not belong."""
    for name in ("c.jpg", "d.jpg", "e.jpg"):
        (few / name).unlink()
    (few / "cups").mkdir()
    (few / "b.jpg").rename(few / "cups" / "b.jpg")
    (few / "labels.csv").write_text("file,index,name\ncups/b.jpg,967,espresso\n")
    (few / "notes.txt").write_text("not an image")
    (few / "__MACOSX").mkdir()
    (few / "__MACOSX" / "._a.jpg").write_text("resource fork")
    return few


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Serves tmp_path; `server(name)` is the address of a file there."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.func.log_message = lambda *_arguments: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield lambda name: f"http://127.0.0.1:{web.server_port}/{name}"
        web.shutdown()
        thread.join()


def as_zip(folder: Path, archive: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for path in folder.rglob("*"):
            out.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def test_photographs_of_packages_are_real_jpegs_of_many_sizes_with_labels(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "images"
    done = get_images("--to", target)
    assert done.returncode == 0, done.stderr
    sizes, shapes = set(), set()
    photographs = sorted(target.glob("*.jpg"))
    for path in photographs:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            sizes.add(image.size)
            shapes.add(round(image.width / image.height, 1))
    assert len(photographs) == 20
    assert len(sizes) >= 8
    assert len(shapes) >= 5

    with (target / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows if not (target / row["file"]).is_file()] == []
    assert len(rows) == len(photographs)
    assert {row["file"]: row["index"] for row in rows if row["index"]}.items() >= {
        ("ascent.jpg", "421"),
        ("camera.jpg", "872"),
        ("coffee.jpg", "967"),
        ("rocket.jpg", "657"),
        ("motorcycle_left.jpg", "665"),
        ("china.jpg", "698"),
        ("flower.jpg", "985"),
    }
    assert {row["index"] for row in rows if row["file"] == "chelsea.jpg"} <= {"282", "285"}


def test_textures_drawings_and_scans_are_not_among_them(photographs: Path) -> None:
    assert not {path.stem for path in photographs.iterdir()} & {"brick", "cell", "grass", "gravel", "page"}


def test_more_images_are_crops_of_the_photographs_and_always_the_same(tmp_path: Path) -> None:
    for name, options in (("default", []), ("more", ["--count", 45]), ("again", ["--count", 45])):
        assert get_images("--to", tmp_path / name, *options).returncode == 0
    default, more = contents(tmp_path / "default"), contents(tmp_path / "more")
    assert more == contents(tmp_path / "again")
    images = {name: content for name, content in default.items() if name != "labels.csv"}
    assert images.items() <= more.items()
    assert len(more) == 45 + 1
    crops = {name for name in more if "-crop" in name}
    assert len(crops) == 45 - len(PHOTOGRAPHS)
    assert len({more[name] for name in crops}) == len(crops)
    with (tmp_path / "more" / "labels.csv").open(newline="") as stream:
        labels = {row["file"]: row["index"] for row in csv.DictReader(stream)}
    assert sorted(labels) == sorted(more.keys() - {"labels.csv"})
    assert {labels[name] for name in crops} == {""}  # what the photograph shows may lie outside of the crop
    for name in crops:
        with (
            Image.open(tmp_path / "more" / name) as crop,
            Image.open(tmp_path / "more" / f"{name[: name.index('-crop')]}.jpg") as photograph,
        ):
            assert (crop.size, crop.mode) == (photograph.size, photograph.mode)


@pytest.mark.parametrize(
    ("count", "complaint"),
    [("3", "photographs; give"), ("0", "not a number of images"), ("x", "not a number of")],
)
def test_a_number_of_images_that_cannot_be_is_refused(tmp_path: Path, count: str, complaint: str) -> None:
    done = get_images("--to", tmp_path / "images", "--count", count)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_number_of_images_is_not_put_over_those_that_are_there(tmp_path: Path) -> None:
    assert get_images("--to", tmp_path / "images", "--count", 22).returncode == 0
    assert get_images("--to", tmp_path / "images").returncode == 0
    other = get_images("--to", tmp_path / "images", "--count", 23)
    assert (other.returncode, "22 images" in other.stderr) == (2, True)


def test_an_earlier_set_is_kept_and_reported(tmp_path: Path) -> None:
    (tmp_path / "brick.jpg").write_bytes(b"")
    (tmp_path / ".source").write_text("photographs of installed packages\n")
    done = get_images("--to", tmp_path)
    assert done.returncode == 0
    assert f"an earlier set: delete {tmp_path}" in done.stdout
    assert [path.name for path in tmp_path.glob("*.jpg")] == ["brick.jpg"]


def test_running_it_twice_changes_nothing(tmp_path: Path) -> None:
    get_images("--to", tmp_path / "images")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    again = get_images("--to", tmp_path / "images")
    assert again.returncode == 0
    assert "already present" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_it_fills_the_checkout_from_wherever_it_is_called(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    (checkout / "datasets").mkdir(parents=True)
    for source in SCRIPT.parent.glob("*.*"):
        (checkout / "datasets" / source.name).write_bytes(source.read_bytes())
    (checkout / "datasets" / "get_images.sh").chmod(0o755)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    # A package of the same name in the caller's folder must not be taken for ours.
    (elsewhere / "datasets").mkdir(parents=True)
    (elsewhere / "datasets" / "__init__.py").write_text("raise SystemExit('the wrong one')")

    command = [checkout / "datasets" / "get_images.sh"]
    first = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=HANG_S)
    assert first.returncode == 0, first.stderr
    assert len(list((checkout / "data" / "images").glob("*.jpg"))) >= 12
    python.unlink()  # Images that are already present are reported without Python.
    second = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=HANG_S)
    assert (second.returncode, "already present" in second.stdout) == (0, True)


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_interrupted_it_leaves_no_half_filled_folder(
    tmp_path: Path, own: Path, number: signal.Signals, exit_code: int
) -> None:
    target = tmp_path / "out" / "images"
    with half_sent(as_zip(own, tmp_path / "own.zip").read_bytes()) as (address, arrived):
        running = subprocess.Popen(
            [SCRIPT, "--from", address, "--to", target], stderr=subprocess.PIPE, text=True
        )
        assert arrived.wait(HANG_S)
        assert [path.suffix for path in target.parent.iterdir()] == [".partial"]
        running.send_signal(number)
        _, errors = running.communicate(timeout=HANG_S)
    assert running.returncode == exit_code
    assert "Traceback" not in errors
    assert not target.exists()
    if number != signal.SIGKILL:
        assert list(target.parent.iterdir()) == []
    # What a killed run had to leave behind, the next one clears away.
    assert get_images("--from", own, "--to", target).returncode == 0
    assert [path.name for path in target.parent.iterdir()] == ["images"]


def test_a_download_that_breaks_off_is_refused(tmp_path: Path, own: Path) -> None:
    with half_sent(as_zip(own, tmp_path / "own.zip").read_bytes(), then_hang=False) as (address, _):
        done = get_images("--from", address, "--to", tmp_path / "out" / "images")
    assert done.returncode == 2
    assert "try again" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@contextmanager
def half_sent(content: bytes, then_hang: bool = True) -> Iterator[tuple[str, threading.Event]]:
    """A server that sends half of its file: its address, and an event when that half was sent."""
    sent, go_on = threading.Event(), threading.Event()

    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            sent.set()
            if then_hang:
                go_on.wait(2 * HANG_S)

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Half) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}/own.zip", sent
        go_on.set()
        web.shutdown()
        thread.join()


def test_own_images_are_copied_from_a_folder_with_their_labels(own: Path, tmp_path: Path) -> None:
    done = get_images("--from", own.name, "--to", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "mine") == {
        name: (own / name).read_bytes() for name in ("a.jpg", "cups/b.jpg", "labels.csv")
    }


@pytest.mark.parametrize("prefix", ["", "photos/"])
def test_own_images_come_out_of_a_zip_archive(own: Path, tmp_path: Path, prefix: str) -> None:
    archive = as_zip(own, tmp_path / "own.zip", prefix)
    assert get_images("--from", archive, "--to", tmp_path / "mine").returncode == 0
    assert sorted(contents(tmp_path / "mine")) == ["a.jpg", "cups/b.jpg", "labels.csv"]


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_own_images_come_out_of_a_tar_archive(own: Path, tmp_path: Path, compression: str) -> None:
    archive = tmp_path / "own.archive"
    with tarfile.open(archive, f"w:{compression}") as out:
        out.add(own, "photos")
    assert get_images("--from", archive, "--to", tmp_path / "mine").returncode == 0
    assert sorted(contents(tmp_path / "mine")) == ["a.jpg", "cups/b.jpg", "labels.csv"]


def test_own_images_are_fetched_from_an_address(
    own: Path, tmp_path: Path, server: Callable[[str], str]
) -> None:
    as_zip(own, tmp_path / "own.zip")
    done = get_images("--from", server("own.zip"), "--to", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert sorted(contents(tmp_path / "mine")) == ["a.jpg", "cups/b.jpg", "labels.csv"]


def test_an_address_without_an_archive_is_refused(tmp_path: Path, server: Callable[[str], str]) -> None:
    (tmp_path / "page.html").write_text("<html>")
    for name, complaint in (("none.zip", "404"), ("page.html", "neither a folder nor a .zip")):
        done = get_images("--from", server(name), "--to", tmp_path / "mine")
        assert done.returncode == 2
        assert complaint in done.stderr
    done = get_images("--from", "ftp://127.0.0.1/x.zip", "--to", tmp_path / "mine")
    assert (done.returncode, "http://" in done.stderr) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html"]


@pytest.mark.parametrize("name", ["../evil.jpg", "/tmp/evil.jpg", "in/../../evil.jpg", "..\\evil.jpg"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_would_write_outside_of_the_folder_is_refused(
    tmp_path: Path, name: str, kind: str
) -> None:
    archive = tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("good.jpg", b"x")
            out.writestr(name, b"x")
    else:
        with tarfile.open(archive, "w") as tar:
            tar.addfile(tarfile.TarInfo("good.jpg"), io.BytesIO())
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    done = get_images("--from", archive, "--to", tmp_path / "out" / "mine")
    assert done.returncode == 2
    assert "would be written outside" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert not list(tmp_path.rglob("evil.jpg"))


def test_links_in_an_archive_are_left_out(own: Path, tmp_path: Path) -> None:
    (own / "link.jpg").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / "own.tar", "w") as out:
        out.add(own, "photos")
    assert get_images("--from", tmp_path / "own.tar", "--to", tmp_path / "mine").returncode == 0
    assert "link.jpg" not in contents(tmp_path / "mine")


def test_a_damaged_archive_leaves_nothing_behind(own: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "own.tar.gz", "w:gz") as out:
        out.add(own, "photos")
    (tmp_path / "half.tar.gz").write_bytes((tmp_path / "own.tar.gz").read_bytes()[:30000])
    whole = as_zip(own, tmp_path / "own.zip").read_bytes()
    (tmp_path / "flipped.zip").write_bytes(whole[:2000] + bytes(2000) + whole[4000:])
    for name in ("half.tar.gz", "flipped.zip"):
        done = get_images("--from", tmp_path / name, "--to", tmp_path / "out" / "mine")
        assert done.returncode == 2
        assert name in done.stderr
        assert list((tmp_path / "out").iterdir()) == []


def test_a_source_that_is_missing_or_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, complaint in (("none", "no such folder"), ("empty", "contains no image files")):
        done = get_images("--from", tmp_path / source, "--to", tmp_path / "mine")
        assert done.returncode == 2
        assert complaint in done.stderr
        assert not (tmp_path / "mine").exists()


def test_other_images_in_the_folder_are_never_overwritten(own: Path, tmp_path: Path) -> None:
    get_images("--from", own, "--to", tmp_path / "mine")
    before = contents(tmp_path / "mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.jpg").write_bytes((own / "a.jpg").read_bytes())
    done = get_images("--from", tmp_path / "other", "--to", tmp_path / "mine")
    assert done.returncode == 2
    assert "already contains images" in done.stderr
    assert "--to" in done.stderr
    assert get_images("--to", tmp_path / "mine").returncode == 0
    assert contents(tmp_path / "mine") == before


def test_help_lists_the_options() -> None:
    done = get_images("--help")
    assert done.returncode == 0
    assert "--from" in done.stdout
    assert "--to" in done.stdout


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        (["torch", "torchvision"], None),
        (["PIL"], "pip install Pillow"),
        (["skimage"], "pip install matplotlib PyWavelets scikit-image scikit-learn"),
    ],
)
def test_it_needs_no_torch_and_names_the_package_that_is_missing(
    tmp_path: Path, missing: list[str], complaint: str | None
) -> None:
    program = (
        "import importlib.util, sys\n"
        f"missing, find = {missing}, importlib.util.find_spec\n"
        "sys.modules.update(dict.fromkeys(missing))\n"
        "importlib.util.find_spec = lambda name: None if name in missing else find(name)\n"
        "from datasets.get_images import main; sys.exit(main())\n"
    )
    command = [sys.executable, "-c", program, "--to", tmp_path / "images"]
    done = subprocess.run(command, cwd=SCRIPT.parents[1], capture_output=True, text=True, timeout=HANG_S)
    assert "Traceback" not in done.stderr
    if complaint is None:
        assert done.returncode == 0
    else:
        assert done.returncode == 2
        assert complaint in done.stderr
        assert list(tmp_path.iterdir()) == []
