"""What a newcomer opens first agrees with what is there: versions, links, targets, the table of imports."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.test_architecture import ALLOWED, FLOORS

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = (
    "docs/drop_in.md",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/glossary.md",
)
MOST_BYTES_OF_AN_IMAGE = 150_000


def test_package_citation_and_change_log_are_of_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    packaged = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    newest = re.search(r"^## (\S+) \((\S+)\)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert packaged is not None
    assert newest is not None
    assert citation["version"] == packaged[1] == newest[1]
    assert str(citation["date-released"]) == newest[2]


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_the_project_lead_somewhere(page: str) -> None:
    file = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", file.read_text())
    assert links
    for target, heading in links:
        linked = file.parent / target if target else file
        assert linked.exists(), target
        assert not heading or heading in headings(linked), f"{target}#{heading}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_images_of_the_readme_load_quickly() -> None:
    images = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert images
    assert all((ROOT / image).stat().st_size < MOST_BYTES_OF_AN_IMAGE for image in images)


def test_make_alone_prints_every_target_that_it_describes() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    described = re.findall(r"^## ([a-z-]+): ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == described
    assert "benchmark" in described


def test_hooks_of_pre_commit_need_nothing_but_the_environment() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "pygrep" or hook["entry"].startswith(".venv/bin/"), hook["id"]


def test_the_table_of_imports_has_the_rules_that_are_enforced() -> None:
    section = ARCHITECTURE.read_text().partition("## Who imports whom")[2].partition("Inside the runner")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    table = {folder: {folder, *re.findall(r"`(\w+)`", others.partition("(")[0])} for folder, others in rows}
    assert table == ALLOWED


def test_the_table_of_rooms_has_the_floors_that_are_enforced() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", ARCHITECTURE.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(reversed(range(len(FLOORS))))
    assert tuple(set(re.findall(r"`(\w+)`", rooms)) for _, rooms in rows) == FLOORS
