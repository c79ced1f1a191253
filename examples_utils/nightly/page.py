"""The destination of a night's report."""

from __future__ import annotations

from pathlib import Path

from examples_utils.problems import RequestError
from examples_utils.results.log_folder import write_durably

PAGE = "report.html"
_SUFFIXES = (".html", ".htm")


def check_report(requested: Path | None) -> None:
    """Refuses a page that cannot be written, before anything runs. Raises RequestError."""
    if requested is None:
        return
    folder = requested.parent if requested.suffix in _SUFFIXES else requested
    if requested.suffix in _SUFFIXES and requested.is_dir():
        raise RequestError(
            f"--report {requested}: is a folder; name a file, or a folder without .html in its name"
        )
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"--report {requested}: is neither a folder nor a .html file; name one of them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--report {requested}: {folder} cannot be created: {error.strerror}") from None


def write_page(text: str, requested: Path | None, log_folder: Path) -> tuple[Path | None, str | None]:
    """Writes the page, replacing an earlier one atomically; returns its path, or why it could not be written."""
    target = requested or log_folder
    file = target if target is requested and target.suffix in _SUFFIXES else target / PAGE
    try:
        write_durably(file.absolute(), text)
    except OSError as error:
        return (
            None,
            f"--report {file}: cannot be written: {error.strerror}; everything else is in {log_folder}",
        )
    return file.absolute(), None
