"""The files that an entry names are looked for where its application is, and nowhere else."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from examples_utils.planning.application import application_of
from examples_utils.problems import Place
from examples_utils.spec.loader import Benchmark


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """`outside/checkout/app/train/deep`, where the checkout has a `.git`."""
    (tmp_path / "outside/checkout/app/train/deep").mkdir(parents=True)
    (tmp_path / "outside/checkout/.git").mkdir()
    return tmp_path / "outside/checkout"


def application(spec_folder: Path, folder: Path | None = None, **keys):
    return application_of(
        Benchmark("a", Place(spec_folder / "benchmarks.yml", 1, 1), folder or spec_folder, **keys)
    )


def test_the_file_beside_the_spec_comes_before_those_in_parent_folders(checkout):
    for folder in ("app/train/deep", "app"):
        (checkout / folder / "r.txt").touch()
    found = application(checkout / "app/train/deep", requirements_file="r.txt")
    assert (found.folder, found.requirements) == (
        checkout / "app/train/deep",
        checkout / "app/train/deep/r.txt",
    )


@pytest.mark.parametrize("where", ["app", "."])
def test_the_folder_of_the_file_is_that_of_the_application(checkout, where):
    (checkout / where / "r.txt").touch()
    found = application(checkout / "app/train/deep", requirements_file="r.txt")
    assert found.folder == checkout / where


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("needs/r.txt", "app/needs/r.txt", "app"),
        ("../r.txt", "app/train/r.txt", "app/train"),
        ("../../r.txt", "app/r.txt", "app"),
    ],
)
def test_a_path_is_relative_to_the_folder_of_the_application(checkout, name, file, folder):
    (checkout / file).parent.mkdir(exist_ok=True)
    (checkout / file).touch()
    assert application(checkout / "app/train/deep", requirements_file=name).folder == checkout / folder


def test_the_location_of_the_entry_comes_first(checkout):
    for folder in ("app/train", "app/train/deep"):
        (checkout / folder / "r.txt").touch()
    found = application(checkout / "app/train", checkout / "app/train/deep", requirements_file="r.txt")
    assert found.folder == checkout / "app/train/deep"


def test_the_search_ends_at_the_root_of_the_checkout(checkout):
    (checkout.parent / "r.txt").touch()
    found = application(checkout / "app", requirements_file="r.txt")
    assert found.requirements is None
    assert found.searched == (checkout / "app", checkout)
    assert found.folder == checkout / "app"


def test_outside_a_checkout_the_search_ends_before_a_folder_that_others_can_write_to(tmp_path):
    shared = tmp_path / "shared"
    (shared / "mine/app").mkdir(parents=True)
    shared.chmod(0o777)
    (shared / "r.txt").touch()
    found = application(shared / "mine/app", requirements_file="r.txt")
    assert found.requirements is None
    assert found.searched == (shared / "mine/app", shared / "mine")


def test_a_user_without_a_home_folder_is_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    (tmp_path / "app").mkdir()
    (tmp_path / "r.txt").touch()
    assert application(tmp_path / "app", requirements_file="r.txt").folder == tmp_path


def test_a_list_of_apt_packages_marks_the_application_too(checkout):
    (checkout / "app/apt.txt").touch()
    found = application(checkout / "app/train", apt_packages_file="apt.txt")
    assert (found.folder, found.apt_packages) == (checkout / "app", checkout / "app/apt.txt")
