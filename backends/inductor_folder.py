"""The folder in which inductor caches its compiled code, as an artefact."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from backends.base import Artefact

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


@contextmanager
def inductor_folder(artefact: Artefact) -> Iterator[Callable[[], Artefact]]:
    """Makes inductor use a temporary cache folder within the block, which initially contains `artefact`.

    Yields a function that returns the current content of the folder. Inductor takes from it the machine code of each
    kernel whose source it generates again, so it can take none that does not belong to the model.
    """
    before = os.environ.get(VARIABLE)
    # Loaded code remains usable after its file is deleted.
    with TemporaryDirectory(prefix="inductor-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for part, content in artefact.items():
            path = folder / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        os.environ[VARIABLE] = name
        try:
            yield lambda: _content(folder)
        finally:
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before


def _content(folder: Path) -> Artefact:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
