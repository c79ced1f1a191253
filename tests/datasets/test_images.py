"""Which images of a folder are used, in which order, and with which labels."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets.images
from datasets import DataError
from datasets.images import ImageSet, find_images, partition


def names(images: ImageSet, folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in images.paths]


def test_images_are_found_recursively_and_sorted_while_other_files_are_passed_over(few: Path) -> None:
    (few / "deep" / "er").mkdir(parents=True)
    (few / "e.jpg").rename(few / "deep" / "er" / "e.JPEG")
    (few / "b.jpg").rename(few / "z.JPG")
    (few / "notes.txt").write_text("not an image")
    (few / ".hidden.jpg").write_bytes((few / "a.jpg").read_bytes())
    (few / ".trash").mkdir()
    (few / "c.jpg").rename(few / ".trash" / "c.jpg")
    images = find_images(few)
    assert names(images, few) == ["a.jpg", "d.jpg", "deep/er/e.JPEG", "z.JPG"]
    assert images.warnings == ()


def test_links_to_folders_are_followed_and_loops_end(few: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (few / "a.jpg").rename(tmp_path / "elsewhere" / "a.jpg")
    (few / "linked").symlink_to(tmp_path / "elsewhere")
    (few / "loop").symlink_to(few)
    assert names(find_images(few), few) == ["b.jpg", "c.jpg", "d.jpg", "e.jpg", "linked/a.jpg"]


def test_broken_files_are_left_out_with_one_warning_that_counts_and_names_them(few: Path) -> None:
    (few / "b.jpg").write_bytes((few / "b.jpg").read_bytes()[:5000])
    (few / "d.jpg").write_text("text")
    (few / "f.jpg").write_bytes(b"")
    (few / "g.jpg").symlink_to(few / "nowhere.jpg")
    images = find_images(few)
    assert names(images, few) == ["a.jpg", "c.jpg", "e.jpg"]
    assert images.skipped == ("b.jpg", "d.jpg", "f.jpg", "g.jpg")
    (warning,) = images.warnings
    assert "4 of 7" in warning
    assert "b.jpg (image file is truncated" in warning
    assert "and 1 more" in warning


def test_only_the_first_files_of_a_large_folder_are_checked(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (few / "b.jpg").write_text("text")
    (few / "e.jpg").write_text("text")
    monkeypatch.setattr(datasets.images, "CHECKED_FILES", 3)
    assert find_images(few).skipped == ("b.jpg",)
    monkeypatch.setattr(datasets.images, "CHECKED_FILES", 100)
    monkeypatch.setattr(datasets.images, "CHECKED_BYTES", 1)
    assert find_images(few).skipped == ()


@pytest.mark.parametrize("content", ["missing", "empty", "only text", "a file", "all broken"])
def test_a_folder_without_usable_images_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "images"
    if content == "a file":
        folder.write_text("")
    elif content != "missing":
        folder.mkdir()
    if content == "only text":
        (folder / "readme.txt").write_text("nothing here")
    if content == "all broken":
        (folder / "a.jpg").write_text("nothing here")
    with pytest.raises(DataError, match=r"images: .*--images DIR") as refusal:
        find_images(folder)
    assert content == "a file" or "datasets/get_images.sh" in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may list every folder")
def test_a_folder_that_may_not_be_read_is_refused(few: Path) -> None:
    (few / "secret").mkdir(mode=0)
    with pytest.raises(DataError, match="secret: Permission denied"):
        find_images(few)


def test_labels_come_from_the_table_in_the_folder(few: Path) -> None:
    (few / "sub").mkdir()
    (few / "e.jpg").rename(few / "sub" / "e.jpg")
    (few / "labels.csv").write_text(
        "file,index,name\na.jpg,285,Egyptian cat\nb.jpg,967,espresso\nc.jpg,,\nsub/e.jpg,0,tench\n"
    )
    assert find_images(few).labels == (285, 967, None, None, 0)


def test_a_table_that_is_named_beats_the_one_in_the_folder(few: Path, tmp_path: Path) -> None:
    (few / "labels.csv").write_text("file,index,name\na.jpg,1,goldfish\n")
    (tmp_path / "other.csv").write_text('\ufefffile,index,name\n"a.jpg",282,"cat, tiger"\n', encoding="utf-8")
    assert find_images(few, tmp_path / "other.csv").labels[0] == 282


def test_labels_of_a_broken_file_go_with_it(few: Path) -> None:
    (few / "a.jpg").write_text("text")
    (few / "labels.csv").write_text("file,index,name\na.jpg,1,x\nb.jpg,2,y\n")
    images = find_images(few)
    assert images.labels == (2, None, None, None)
    assert len(images.warnings) == 1


def test_labels_of_files_that_are_not_there_are_warned_of(few: Path) -> None:
    (few / "labels.csv").write_text("file,index,name\nA.JPG,1,x\nb.jpg,2,y\n")
    (warning,) = find_images(few).warnings
    assert "1 of its 2 files are not in" in warning
    assert "A.JPG" in warning


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("file,index,name\na.jpg,cat,cat\n", r"labels\.csv:2: index 'cat' is not a class number"),
        ("file,index,name\na.jpg,1,x\nb.jpg,-3,x\n", r"labels\.csv:3: index '-3'"),
        ("file,index,name\na.jpg,1,x\na.jpg,2,y\n", r"labels\.csv:3: duplicate line for a\.jpg"),
        ("a.jpg,1,x\n", r"labels\.csv:1: no column file and index: the first line must be file,index,name"),
        ("", r"labels\.csv:1: no column"),
    ],
)
def test_a_faulty_table_is_refused_with_file_and_line(few: Path, table: str, complaint: str) -> None:
    (few / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=complaint):
        find_images(few)


def test_a_table_that_is_missing_or_no_text_is_refused(few: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: No such file.*--labels FILE"):
        find_images(few, tmp_path / "none.csv")
    with pytest.raises(DataError, match="UTF-8"):
        find_images(few, few / "a.jpg")


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (["n01440764", "n02124075"], (0, 285)),
        (["0", "999"], (0, 999)),
        (["val/n01440764", "val/n02124075"], (0, 285)),
        (["0", "1000"], (None, None)),
        (["n01440764", "cats"], (None, None)),
    ],
)
def test_class_folders_of_imagenet_give_labels(
    few: Path, tmp_path: Path, folders: list[str], labels: tuple[int | None, ...]
) -> None:
    root = tmp_path / "imagenet"
    for folder, name in zip(folders, ["a.jpg", "b.jpg"], strict=True):
        (root / folder).mkdir(parents=True)
        (few / name).rename(root / folder / name)
    by_folder = dict(zip(folders, labels, strict=True))
    images = find_images(root)
    assert images.labels == tuple(
        by_folder[path.parent.relative_to(root).as_posix()] for path in images.paths
    )


def test_a_wordnet_id_outside_of_imagenet_gives_no_label_and_a_warning(few: Path, tmp_path: Path) -> None:
    for folder, name in (("n01440764", "a.jpg"), ("n99999999", "b.jpg")):
        (tmp_path / "net" / folder).mkdir(parents=True)
        (few / name).rename(tmp_path / "net" / folder / name)
    images = find_images(tmp_path / "net")
    assert images.labels == (0, None)
    assert "n99999999" in images.warnings[0]


@given(total=st.integers(1, 60), world_size=st.integers(1, 9))
def test_ranks_share_every_pass_over_the_images_without_overlap(total: int, world_size: int) -> None:
    images = ImageSet(tuple(Path(str(i)) for i in range(total)), tuple(range(total)))
    shares = [partition(images, rank, world_size).labels for rank in range(world_size)]
    dealt = [shares[i % world_size][i // world_size % len(shares[i % world_size])] for i in range(3 * total)]
    assert dealt == [i % total for i in range(3 * total)]


def test_a_rank_outside_of_the_world_is_refused(few: Path) -> None:
    with pytest.raises(DataError, match="rank 2"):
        partition(find_images(few), 2, 2)
