"""Archives, addresses, files and tables of others that are damaged or made to exhaust the machine."""

import io
import os
import socketserver
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import pytest
from PIL import Image

from datasets import own_images
from datasets.decode import DecodeError, decode_rgb
from datasets.errors import DataError
from datasets.image_limits import MAX_PIXELS, pixel_count
from datasets.images import find_images
from datasets.labels import labels_from_csv
from datasets.own_images import copy_own_images
from tests.datasets.test_get_images import get_images


def jpeg(side: int = 64) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((side, side), 80).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG file of a few kilobytes whose header promises that size; written as Pillow would take gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def tar_of(members: dict[bytes | str, bytes], file: Path, mode: str) -> Path:
    with tarfile.open(
        file, mode, encoding="utf-8", errors="surrogateescape", format=tarfile.GNU_FORMAT
    ) as out:
        for name, data in members.items():
            info = tarfile.TarInfo(os.fsdecode(name))
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return file


def refused(source: object, folder: Path) -> str:
    """The message of `get_images.sh --from`, which must leave nothing behind."""
    done = get_images("--from", source, "--to", folder / "images")
    assert done.returncode == 2
    assert not (folder / "images").exists()
    assert not list(folder.glob(".images*"))
    return done.stderr


@pytest.mark.processes
@pytest.mark.parametrize("kind", ["xz", "gz", "bz2"])
def test_a_compressed_archive_that_is_damaged_in_the_middle_is_refused(kind: str, tmp_path: Path) -> None:
    archive = tar_of({f"{i}.jpg": jpeg(200) for i in range(20)}, tmp_path / f"a.tar.{kind}", f"w:{kind}")
    data = bytearray(archive.read_bytes())
    for position in range(len(data) // 2, len(data) // 2 + 200):
        data[position] ^= 0xFF
    archive.write_bytes(data)
    assert f"--from {archive}:" in refused(archive, tmp_path)


@pytest.mark.processes
@pytest.mark.parametrize("damage", ["data", "method", "listing"])
def test_a_damaged_zip_file_is_refused(damage: str, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.jpg", jpeg(200))
    data = bytearray(archive.read_bytes())
    listing = data.index(b"PK\x01\x02")
    if damage == "data":
        data[40 : listing - 10] = bytes(0xFF for _ in range(40, listing - 10))
    elif damage == "method":
        data[8:10] = data[listing + 10 : listing + 12] = b"\x63\x00"
    else:
        data[listing : listing + 4] = b"XXXX"
    archive.write_bytes(data)
    assert f"--from {archive}:" in refused(archive, tmp_path)


@pytest.mark.processes
def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    archive = tar_of({b"caf\xe9.jpg": jpeg()}, tmp_path / "a.tar", "w")
    assert "is not UTF-8" in refused(archive, tmp_path)
    (tmp_path / "own").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "own") + b"/caf\xe9.jpg")).write_bytes(jpeg())
    assert "is not UTF-8" in refused(tmp_path / "own", tmp_path)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer to every request."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/a.zip"
        server.shutdown()
        thread.join()


@pytest.mark.processes
@pytest.mark.parametrize("length", [b"many", b"-5", b"1e3", b"9" * 5000])
def test_a_content_length_that_is_no_number_is_refused(length: bytes, tmp_path: Path) -> None:
    with answering(b"HTTP/1.0 200 OK\r\nContent-Length: " + length + b"\r\n\r\nPK") as address:
        assert "Content-Length" in refused(address, tmp_path)


@pytest.mark.processes
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("huge.png", huge_png(20_000, 20_000))
    message = refused(tmp_path / "a.zip", tmp_path)
    assert "huge.png" in message
    assert "pixels" in message


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (9_460, 9_460), (60_000, 60_000)])
def test_whichever_decoder_reads_it_an_image_of_too_many_pixels_is_not_decoded(
    width: int, height: int, tmp_path: Path
) -> None:
    (tmp_path / "huge.png").write_bytes(huge_png(width, height))
    with pytest.raises(DecodeError, match="pixels"):
        decode_rgb(tmp_path / "huge.png")


def test_the_frames_of_a_gif_count_as_pixels(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (100, 100), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixel_count(tmp_path / "a.gif") == 3 * 100 * 100


def test_a_large_photograph_is_below_the_limit() -> None:
    assert MAX_PIXELS > 9_000 * 9_000


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_FILES", 2), ("MAX_BYTES", 5_000), ("MAX_FILE_BYTES", 1_000)]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_beyond_a_limit_is_refused(
    limit: str, value: int, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_images, limit, value)
    archive = tmp_path / f"a.{kind}"
    images = {f"{i}.jpg": b"\0" * 2_000 for i in range(3)}
    if kind == "tar":
        tar_of(images, archive, "w")  # type: ignore[arg-type]
    else:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for name, data in images.items():
                out.writestr(name, data)
    (tmp_path / "to").mkdir()
    with pytest.raises(DataError, match=r"more than|larger than"):
        copy_own_images(str(archive), tmp_path / "to")


def test_a_fifo_with_the_name_of_an_image_is_left_out(few: Path) -> None:
    os.mkfifo(few / "x.jpg")
    found = find_images(few)
    assert found.skipped == ("x.jpg",)
    assert "not a regular file" in found.warnings[0]


def test_a_device_with_the_name_of_an_image_is_left_out(few: Path) -> None:
    (few / "zero.jpg").symlink_to("/dev/zero")
    assert find_images(few).skipped == ("zero.jpg",)


def test_control_characters_of_file_names_are_shown_as_text(few: Path) -> None:
    (few / "a\x1b[2J.jpg").write_bytes(b"no image")
    assert "a\\x1b[2J.jpg" in find_images(few).warnings[0]


def test_a_field_that_is_too_long_for_a_table_is_refused_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"file,index,name\na.jpg,1,x\nb.jpg,2,{'y' * 131_073}\n")
    with pytest.raises(DataError, match=r"labels\.csv:3: .*field larger"):
        labels_from_csv(table)
    table.write_text(f"{'f' * 131_073},index,name\n")
    with pytest.raises(DataError, match="field larger"):
        labels_from_csv(table)


def test_a_class_number_of_many_digits_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"file,index,name\na.jpg,{'9' * 5_000},x\n")
    with pytest.raises(DataError, match="not a class number"):
        labels_from_csv(table)
