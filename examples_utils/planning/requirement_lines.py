"""The lines of a pip requirements file, without those that name the runner's own distribution."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

OWN_DISTRIBUTION = "examples-utils"
"""That of the runner, and of the original, which application's requirements name."""

_COMMENT = re.compile(r"(^|\s)#.*$")  # as pip does: not the fragment of a URL
_INCLUDED = re.compile(r"(?:-r|--requirement)[\s=]*(\S+)")
_CONSTRAINTS = re.compile(r"(?:-c|--constraint)[\s=]*(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]*")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*\])?\s*(?:[@<>=!~;(]|\s--|$)")
_ARCHIVE = re.compile(r"(.+?)-\d[^/]*\.(?:whl|zip|tgz|tar\.\w+)")
_PROJECT_NAME = re.compile(r"""^\s*(?:setup\()?\s*name\s*=\s*["']?([\w.-]+)""", re.MULTILINE)


def requirement_lines(file: Path) -> tuple[list[str], list[str]]:
    """Returns the lines to install, and those left out. Included files are replaced by their lines.

    Raises:
        OSError: A file cannot be read.
    """
    kept: list[str] = []
    left_out: list[str] = []
    for line in _lines(file, set()):
        (left_out if _is_own(line, file.parent) else kept).append(line)
    return kept, left_out


def _lines(file: Path, seen: set[Path]) -> Iterator[str]:
    seen.add(file.resolve())
    text = file.read_text("utf-8-sig", "surrogateescape")
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        requirement = _COMMENT.sub("", line).strip()
        if included := _INCLUDED.match(requirement):
            yield from _included_lines(file.parent, included[1], seen)
        elif (constraints := _CONSTRAINTS.match(requirement)) and "://" not in constraints[1]:
            yield f"-c {file.parent / constraints[1]}"
        elif requirement:
            yield requirement


def _included_lines(folder: Path, name: str, seen: set[Path]) -> Iterator[str]:
    if "://" in name:
        yield f"-r {name}"
    elif (folder / name).resolve() not in seen:
        yield from _lines(folder / name, seen)


def _is_own(requirement: str, folder: Path) -> bool:
    target = _EDITABLE.sub("", requirement)
    if (
        (named := _NAMED.match(target))
        and not _ARCHIVE.fullmatch(named[1])
        and not (folder / target).is_dir()
    ):
        name = named[1]
    else:
        name = _name_of_target(target, folder)
    return re.sub(r"[-_.]+", "-", name).lower() == OWN_DISTRIBUTION


def _name_of_target(target: str, folder: Path) -> str:
    """Returns the distribution's name in a URL or path: stated, or by the name of the archive or project."""
    if egg := re.search(r"[#&]egg=([\w.-]+)", target):
        return egg[1]
    target = re.sub(r"\[[^]]*\]$", "", target.partition(" ")[0].partition("#")[0])
    path = unquote(urlsplit(target).path) if ":" in target else target
    if "+" in target.partition(":")[0]:  # a URL of a version system, with the revision after @
        path = path.partition("@")[0]
    name = PurePosixPath(path).name.removesuffix(".git")
    if archive := _ARCHIVE.fullmatch(name):
        return archive[1]
    return _project_name(folder / path) or name


def _project_name(project: Path) -> str | None:
    for file in ("pyproject.toml", "setup.cfg", "setup.py"):
        try:
            named = _PROJECT_NAME.search((project / file).read_text("utf-8", "replace"))
        except OSError:
            continue
        if named:
            return named[1]
    return None
