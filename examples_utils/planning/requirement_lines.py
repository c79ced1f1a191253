"""The lines of a pip requirements file, without those that name the runner's own distribution."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

OWN_DISTRIBUTION = "examples-utils"
"""That of the runner, and of the original, which application's requirements name."""

_COMMENT = re.compile(r"(^|\s)#.*$")  # as pip does: not the fragment of a URL
_CONTINUED = re.compile(r"^(?!\s*#)(.*)\\\r?\n", re.MULTILINE)  # as pip does: a comment is not continued
_INCLUDED = re.compile(r"(?:-r|--requirement)[\s=]*(.+)")
_CONSTRAINTS = re.compile(r"(?:-c|--constraint)[\s=]*(.+)")
_LINKS = re.compile(r"(?:-f|--find-links)[\s=]*(.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]*")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*\])?\s*(?:[@<>=!~;(]|\s--|$)")
_GITHUB_ARCHIVE = re.compile(
    r"/[^/]+/([^/]+)/(?:archive|zipball|tarball|zip|tar\.gz|legacy\.\w+(?:\.gz)?)/.+"
)
_ARCHIVE = re.compile(r"(.+?)-\d[^/]*\.(?:whl|zip|tgz|tar\.\w+)")
_NAME = r"""name\s*=\s*["']?([\w.-]+)"""
_NAME_IN_SECTION = re.compile(
    rf"^\[(?:project|tool\.poetry|metadata)\][^\n]*\n(?:(?!\[)[^\n]*\n)*?\s*{_NAME}", re.MULTILINE
)
_NAME_IN_CALL = re.compile(rf"^\s*(?:setup\()?\s*{_NAME}", re.MULTILINE)
_PROJECT_NAMES = {
    "pyproject.toml": _NAME_IN_SECTION,
    "setup.cfg": _NAME_IN_SECTION,
    "setup.py": _NAME_IN_CALL,
}


def requirement_lines(file: Path, folder: Path | None = None) -> tuple[list[str], list[str]]:
    """Returns the lines to install, and those left out. Included files are replaced by their lines.

    `folder` is that in which pip runs, to which the paths of projects are relative (default: that of the file).

    Raises:
        OSError: A file cannot be read.
    """
    kept: list[str] = []
    left_out: list[str] = []
    for line in _lines(file, set()):
        (left_out if _is_own(line, folder or file.parent) else kept).append(line)
    return kept, left_out


def _lines(file: Path, seen: set[Path]) -> Iterator[str]:
    seen.add(file.resolve())
    text = file.read_text("utf-8-sig", "surrogateescape")
    for line in _joined(text).splitlines():
        requirement = _COMMENT.sub("", line).strip()
        if included := _INCLUDED.match(requirement):
            yield from _included_lines(file.parent, _unquoted(included[1]), seen)
        elif constraints := _CONSTRAINTS.match(requirement):
            yield _with_path("-c", file.parent, _unquoted(constraints[1]))
        elif (links := _LINKS.match(requirement)) and (file.parent / _unquoted(links[1])).exists():
            yield _with_path("-f", file.parent, _unquoted(links[1]))
        elif requirement:
            yield requirement


def _joined(text: str) -> str:
    while (joined := _CONTINUED.sub(r"\1 ", text)) != text:
        text = joined
    return text


def _unquoted(path: str) -> str:
    """Returns the path of an option; pip splits options as a shell does."""
    try:
        return shlex.split(path)[0]
    except (ValueError, IndexError):  # which pip reports
        return path


def _with_path(option: str, folder: Path, path: str) -> str:
    return f"{option} {path if '://' in path else shlex.quote(str(folder / path))}"


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
    path = _url_path(target) if ":" in target else target
    if "+" in target.partition(":")[0]:  # a URL of a version system, with the revision after @
        path = path.partition("@")[0]
    elif "://" in target and (repository := _GITHUB_ARCHIVE.fullmatch(path)):
        path = repository[1]
    name = PurePosixPath(path).name.removesuffix(".git")
    if archive := _ARCHIVE.fullmatch(name):
        return archive[1]
    return _project_name(folder / path) or name


def _url_path(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:  # no URL, which pip reports
        return url


def _project_name(project: Path) -> str | None:
    for file, name in _PROJECT_NAMES.items():
        try:
            named = name.search((project / file).read_text("utf-8", "replace"))
        except OSError:
            continue
        if named:
            return named[1]
    return None
