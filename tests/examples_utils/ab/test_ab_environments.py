"""Each revision runs with the packages that it declares, and with its own code."""

from __future__ import annotations

import json
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from examples_utils.ab.dependencies import dependency_texts, extras_in_use, import_paths, projects_within
from tests.examples_utils.ab.comparisons import ab, left_behind
from tests.examples_utils.environments import make_environment, site_packages

PROJECT = """[project]
name = "thing"
version = "{version}"
dependencies = [{dependencies}]
[tool.ruff]
line-length = {length}
"""


def wheel(folder: Path, speed: int) -> Path:
    """A package `thing` that pip installs without a network."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("thing.py", f"SPEED = {speed}.0\n")
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(
            "thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    return file


@pytest.mark.processes
def test_a_revision_with_other_dependencies_runs_in_an_environment_with_them(workplace, project):
    wheel(project.folder / "wheels", 50)
    project.write("requirements.txt", "./wheels/thing-1.0-py3-none-any.whl\n")
    project.speed("__import__('thing').SPEED")
    project.commit("Needs thing")
    project.git("rm", "-q", "requirements.txt")
    project.speed("100.0")
    project.commit("Needs nothing")
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--repeat", "2")
    assert done.exitcode == 0, done.out
    assert "--base HEAD~1: has other dependencies than this checkout: building an environment" in done.out
    assert "throughput 50" in done.out
    assert left_behind(project) == []


@pytest.mark.processes
def test_an_environment_that_cannot_be_made_is_refused_with_what_pip_says(workplace, project):
    project.write("requirements.txt", "./wheels/nothing-1.0-py3-none-any.whl\n")
    project.commit("Needs what is not there")
    project.git("rm", "-q", "requirements.txt")
    done = ab(workplace, "--base", "HEAD", "--new", ".", "--repeat", "2")
    assert done.exitcode == 2
    assert "--base HEAD: its dependencies differ from those of this checkout, and an environment" in done.err
    assert "nothing-1.0" in done.err
    assert left_behind(project) == []


@pytest.mark.processes
def test_a_project_that_is_installed_from_this_checkout_is_imported_from_the_revision(
    workplace, project, monkeypatch, tmp_path_factory
):
    project.write("src/thing.py", "SPEED = 50.0\n")
    project.speed("__import__('thing').SPEED")
    project.commit("Half")
    project.write("src/thing.py", "SPEED = 100.0\n")
    project.commit("Whole")
    site = tmp_path_factory.mktemp("site")
    installed(site, project.folder)
    monkeypatch.syspath_prepend(site)
    # As pip install -e does: every Python of this environment sees the checkout's own code.
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "src"))
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--repeat", "5")
    assert "throughput 49" in done.out or "throughput 50" in done.out or "throughput 51" in done.out
    assert "1 improved" in done.out


def installed(site: Path, origin: Path) -> PathDistribution:
    folder = site / "thing-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (folder / "direct_url.json").write_text(
        json.dumps({"url": origin.as_uri(), "dir_info": {"editable": True}})
    )
    return PathDistribution(folder)


def test_only_projects_of_the_repository_are_found_there(tmp_path):
    repository, other = tmp_path / "a repository", tmp_path / "other"
    for folder in (repository / "sub/src", other, tmp_path / "1", tmp_path / "2", tmp_path / "3"):
        folder.mkdir(parents=True)
    packages = [
        installed(tmp_path / "1", repository / "sub"),
        installed(tmp_path / "2", other),
        PathDistribution(tmp_path / "3"),
    ]
    assert projects_within(repository, packages) == [Path("sub")]
    checkout = tmp_path / "checkout"
    (checkout / "sub/src").mkdir(parents=True)
    assert list(import_paths(checkout, [Path("sub")])) == [str(checkout / "sub/src"), str(checkout / "sub")]


def test_a_new_version_or_style_is_no_new_dependency_but_a_package_is(tmp_path):
    def texts(**parts):
        values = {"version": "1.0", "dependencies": "", "length": 100} | parts
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(**values))
        return dependency_texts(tmp_path)

    assert texts(version="2.0", length=80) == texts()
    assert texts(dependencies='"torch>=2"') != texts()


def test_files_that_requirements_include_count_and_may_include_each_other(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r more/base.txt\n--constraint=pins.txt\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/base.txt").write_text("numpy\n-r ../requirements.txt\n")
    (tmp_path / "pins.txt").write_text("numpy==2\n")
    (tmp_path / "entry.txt").write_text("scipy\n")
    texts = dependency_texts(tmp_path, [Path("entry.txt"), Path("missing.txt")])
    assert {Path(name).name for name in texts} == {"requirements.txt", "base.txt", "pins.txt", "entry.txt"}


@pytest.mark.parametrize("text", ["[project\n", "\x00", ""])
def test_a_project_file_that_cannot_be_read_counts_as_one_without_dependencies(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert list(dependency_texts(tmp_path)) == ["pyproject.toml"]


def test_extras_are_in_use_if_all_their_packages_are_installed_in_fitting_versions():
    optional = {
        "yes": ["pytest>=1", "absent; python_version < '3'"],
        "too old": ["pytest>=999"],
        "absent": ["no-such-package-anywhere"],
        "malformed": ["=="],
    }
    assert extras_in_use({"project": {"optional-dependencies": optional}}, sys.path) == ["yes"]
    assert extras_in_use({}, sys.path) == []


@pytest.mark.processes
def test_what_an_entry_requires_is_installed_for_its_revision_alone(workplace, project):
    wheel(project.folder / "wheels", 50)
    project.write("entry.txt", "./wheels/thing-1.0-py3-none-any.whl\n")
    spec = (project.folder / "benchmarks.yml").read_text()
    project.write("benchmarks.yml", f"{spec}  requirements_file: entry.txt\n")
    project.speed("__import__('thing').SPEED")
    project.commit("Entry needs thing")
    project.write("benchmarks.yml", spec)
    project.git("rm", "-q", "entry.txt")
    project.speed("50.0 if not __import__('importlib').util.find_spec('thing') else 1.0")
    project.commit("Entry needs nothing")
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--repeat", "2")
    assert done.exitcode == 0, done.out


@pytest.mark.processes
def test_a_project_that_is_installed_in_the_chosen_environment_is_imported_from_the_revision(
    workplace, project, tmp_path_factory
):
    project.write("src/thing.py", "SPEED = 50.0\n")
    project.speed("__import__('thing').SPEED")
    project.commit("Half")
    project.write("src/thing.py", "SPEED = 100.0\n")
    project.commit("Whole")
    application = make_environment(tmp_path_factory.mktemp("application") / "venv")
    site = site_packages(application)
    installed(site, project.folder)
    (site / "thing.pth").write_text(f"{project.folder}/src\n")
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--repeat", "5", "--python", str(application))
    assert "1 improved" in done.out
