"""The commit of a run where git cannot read the checkout, or is led to another one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from examples_utils.machine.git import git_state
from tests.examples_utils.ab.git_project import GitProject
from tests.examples_utils.conftest import Workplace


def head(folder: Path) -> str:
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()


def test_a_folder_outside_git_has_no_state_and_no_warning(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ({"commit": None, "dirty": None, "branch": None}, None)


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    project: GitProject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = head(project.folder)
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    state, warning = git_state(project.folder)
    assert (state["commit"], state["dirty"], warning) == (commit, False, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_owner_is_a_warning_with_the_words_of_git(
    project: GitProject, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for path in (project.folder, project.folder / ".git"):
        os.chown(path, 4242, 4242)
    done = workplace.benchmark("--quiet")
    assert done.exitcode == 0
    assert "dubious ownership" in done.out
    assert "safe.directory" in done.out
    assert next(iter(done.by_variant.values()))["git"]["commit"] is None
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert git_state(project.folder)[1] is None


@pytest.mark.parametrize("damage", ["no objects", "empty objects", "no HEAD"])
def test_a_broken_repository_is_a_warning_with_the_words_of_git(
    damage: str, project: GitProject, workplace: Workplace
) -> None:
    git = project.folder / ".git"
    if damage == "no objects":
        shutil.rmtree(git / "objects")
    elif damage == "no HEAD":
        (git / "HEAD").unlink()
    else:
        for file in (git / "objects").rglob("*"):
            if file.is_file():
                file.chmod(0o600)
                file.write_bytes(b"")
    done = workplace.benchmark("--quiet")
    assert done.exitcode == 0
    assert "its commit is unknown: " in done.out
    assert "fatal: " in done.out
    assert next(iter(done.by_variant.values()))["git"]["commit"] is None


@pytest.mark.slow
def test_a_branch_that_is_not_utf8_is_shown_with_its_bytes_and_a_warning(
    project: GitProject, workplace: Workplace
) -> None:
    commit = head(project.folder)
    (project.folder / ".git" / "HEAD").write_bytes(b"ref: refs/heads/caf\xe9\n")
    Path(os.fsdecode(os.fsencode(project.folder / ".git" / "refs" / "heads") + b"/caf\xe9")).write_text(
        f"{commit}\n"
    )
    done = workplace.benchmark("--history", "runs.db", "--quiet")
    assert done.exitcode == 0
    assert "not UTF-8" in done.out
    assert next(iter(done.by_variant.values()))["git"]["branch"] == "caf\\xe9"
