"""Digests of files are those of their content, whatever is remembered."""

import hashlib
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import file_digests as module
from driver.file_digests import UNREADABLE, file_digest, file_digests

HOUR_AGO_S = 3600


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # The change time of a file cannot be set: files of tests would all be too new to be remembered.
    monkeypatch.setattr(module, "SETTLED_NS", -1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose content was read."""
    names: list[str] = []

    def recorded(original: Callable[[str], str]) -> Callable[[str], str]:
        return lambda name: (names.append(Path(name).name), original(name))[1]

    monkeypatch.setattr(module, "_read", recorded(module._read))
    return names


def written(folder: Path, **contents: bytes) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = [folder / name for name in contents]
    for file, content in zip(files, contents.values(), strict=True):
        file.write_bytes(content)
    return files


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_they_are_the_sha256_of_the_content_in_the_order_asked_for(tmp_path: Path) -> None:
    files = written(tmp_path / "in", a=b"one", b=b"two" * 10**6, c=b"")
    expected = [sha256(file.read_bytes()) for file in files]
    assert file_digests(files, tmp_path / "in") == expected
    assert file_digests(files[::-1], tmp_path / "in") == expected[::-1]


def test_files_that_stay_the_same_are_read_once(tmp_path: Path, read: list[str]) -> None:
    files = written(tmp_path / "in", a=b"one", b=b"two")
    first = file_digests(files, tmp_path / "in")
    assert file_digests(files, tmp_path / "in") == first
    assert sorted(read) == ["a", "b"]


def test_only_a_changed_file_is_read_again(tmp_path: Path, read: list[str]) -> None:
    files = written(tmp_path / "in", a=b"one", b=b"two")
    file_digests(files, tmp_path / "in")
    read.clear()
    files[1].write_bytes(b"three")
    assert file_digests(files, tmp_path / "in") == [sha256(b"one"), sha256(b"three")]
    assert read == ["b"]


def test_a_change_that_keeps_size_and_modification_time_is_seen(tmp_path: Path) -> None:
    (file,) = written(tmp_path / "in", a=b"one")
    before = file.stat()
    file_digests([file], tmp_path / "in")
    file.write_bytes(b"eno")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_digests([file], tmp_path / "in") == [sha256(b"eno")]


def test_a_file_that_was_only_just_written_is_not_remembered(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_NS", HOUR_AGO_S * 10**9)
    files = written(tmp_path / "in", a=b"one")
    for _ in range(2):
        file_digests(files, tmp_path / "in")
    assert read == ["a", "a"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1, "files": {"a": 3}}', b'{"format": 9}', b"\xff"]
)
def test_a_damaged_memory_is_written_anew(tmp_path: Path, content: bytes, read: list[str]) -> None:
    files = written(tmp_path / "in", a=b"one")
    file_digests(files, tmp_path / "in")
    (memory,) = (tmp_path / "cache").rglob("*.json")
    memory.write_bytes(content)
    for _ in range(2):
        assert file_digests(files, tmp_path / "in") == [sha256(b"one")]
    assert read == ["a", "a"]
    assert [path.name for path in memory.parent.iterdir()] == [memory.name]


def test_where_nothing_can_be_remembered_files_are_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_bytes(b"a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    assert file_digests(written(tmp_path / "in", a=b"one"), tmp_path / "in") == [sha256(b"one")]


def test_a_user_without_a_home_folder_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert file_digests(written(tmp_path / "in", a=b"one"), tmp_path / "in") == [sha256(b"one")]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_is_no_regular_file_has_no_digest_and_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    places = [tmp_path / "pipe", tmp_path, tmp_path / "absent"]
    assert file_digests(places, tmp_path) == [UNREADABLE] * 3
    with pytest.raises(OSError, match="no regular file"):
        file_digest(tmp_path / "absent")


def test_names_that_are_not_utf8_are_no_obstacle(tmp_path: Path, read: list[str]) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    odd.write_bytes(b"one")
    for _ in range(2):
        assert file_digests([odd], tmp_path) == [sha256(b"one")]
    assert len(read) == 1
