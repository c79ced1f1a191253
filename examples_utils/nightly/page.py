"""The report of a night: where it goes."""

from __future__ import annotations

from pathlib import Path

from examples_utils.problems import RequestError
from examples_utils.results.log_folder import write_durably

PAGE = "report.html"
_SUFFIXES = (".html", ".htm")


def check_report(wished: Path | None) -> None:
    """Refuses, before anything runs, where no page can be written. Raises RequestError."""
    if wished is None:
        return
    folder = wished.parent if wished.suffix in _SUFFIXES else wished
    if wished.suffix in _SUFFIXES and wished.is_dir():
        raise RequestError(
            f"--report {wished}: is a folder; name a file, or a folder without .html in its name"
        )
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"--report {wished}: is no folder and no .html file; name one of them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--report {wished}: {folder} cannot be made: {error.strerror}") from None


def write_page(text: str, wished: Path | None, log_folder: Path) -> tuple[Path | None, str | None]:
    """Writes the page, replacing an earlier one as a whole; gives its path, or why it could not be written."""
    target = wished or log_folder
    file = target if target is wished and target.suffix in _SUFFIXES else target / PAGE
    try:
        write_durably(file.absolute(), text)
    except OSError as error:
        return (
            None,
            f"--report {file}: cannot be written: {error.strerror}; everything else is in {log_folder}",
        )
    return file.absolute(), None
