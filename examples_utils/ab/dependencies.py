"""The dependencies of a checkout, as declared in its files."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PROJECT = "pyproject.toml"
_PROJECT_KEYS = ("dependencies", "optional-dependencies", "requires-python", "dynamic")
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[\s=]\s*(\S+)", re.MULTILINE)


def dependency_texts(checkout: Path, requirement_files: Iterable[Path] = ()) -> dict[str, str]:
    """Returns the declarations that determine the packages of the checkout, by file; equal means the same packages.

    `requirement_files` are those that entries of a spec name, relative to the checkout. Of `pyproject.toml`, only
    the dependencies count.
    """
    texts: dict[str, str] = {}
    project = checkout / _PROJECT
    if project.is_file():
        texts[_PROJECT] = json.dumps(_about_dependencies(read_project(checkout)), sort_keys=True)
    for name in ("setup.py", "setup.cfg"):
        if (checkout / name).is_file():
            texts[name] = (checkout / name).read_text("utf-8", "replace")
    pending = [
        *sorted(path.name for path in checkout.glob("requirements*.txt")),
        *map(str, requirement_files),
    ]
    while pending:
        name = pending.pop()
        if name not in texts and (checkout / name).is_file():
            texts[name] = (checkout / name).read_text("utf-8", "replace")
            pending += [
                os.path.normpath(Path(name).parent / included) for included in _INCLUDED.findall(texts[name])
            ]
    return texts


def read_project(checkout: Path) -> dict[str, Any]:
    """Returns the checkout's `pyproject.toml`; empty if it is missing or cannot be read."""
    try:
        project: dict[str, Any] = tomllib.loads((checkout / _PROJECT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return project


def extras_in_use(project: dict[str, Any], import_path: Sequence[str]) -> list[str]:
    """Returns the extras of a project whose packages are all installed, in fitting versions, on the import path."""
    optional = project.get("project", {}).get("optional-dependencies", {})
    path = list(import_path)
    return [
        extra
        for extra, requirements in optional.items()
        if all(_is_installed(requirement, path) for requirement in requirements)
    ]


def projects_within(repository: Path, installed: Iterable[Distribution]) -> list[Path]:
    """Returns the folders of the projects that were installed from the repository, as `pip install -e .` does.

    Commands import these from there, and not from the checkout that they run in. `repository` is a real path.
    """
    found = []
    for package in installed:
        origin = _origin(package)
        if origin is not None and origin.is_relative_to(repository):
            found.append(origin.relative_to(repository))
    return list(dict.fromkeys(found))


def import_paths(checkout: Path, projects: Iterable[Path]) -> Iterator[str]:
    """Yields what `PYTHONPATH` must contain to import these projects from this checkout."""
    for project in projects:
        for folder in (checkout / project / "src", checkout / project):
            if folder.is_dir():
                yield str(folder)


def _about_dependencies(project: dict[str, Any]) -> dict[str, Any]:
    return {
        "build-system": project.get("build-system"),
        "dependency-groups": project.get("dependency-groups"),
        "project": {key: project.get("project", {}).get(key) for key in _PROJECT_KEYS},
        "poetry": project.get("tool", {}).get("poetry", {}).get("dependencies"),
    }


def _is_installed(text: str, import_path: list[str]) -> bool:
    try:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate():
            return True
    except InvalidRequirement:
        return False
    found = next(iter(distributions(name=requirement.name, path=import_path)), None)
    return found is not None and requirement.specifier.contains(found.version, prereleases=True)


def _origin(package: Distribution) -> Path | None:
    try:
        parts = urlsplit(json.loads(package.read_text("direct_url.json") or "{}").get("url", ""))
    except (ValueError, AttributeError):
        return None
    return Path(unquote(parts.path)).resolve() if parts.scheme == "file" else None
