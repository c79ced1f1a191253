"""The V-IPU server that this machine's `vipu` talks to."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

_TIMEOUT_S = 20
_HOST = re.compile(r"^\s*host:\s*(\S+?)(?::\d+)?\s*$", re.MULTILINE)


def vipu_server_host(path: str | None, timeout_s: float = _TIMEOUT_S) -> str | None:
    """Returns the host that `vipu --server-version` prints; None without that program, server or line.

    `path` is the PATH on which the program is searched.
    """
    program = shutil.which("vipu", path=path)
    if not program:
        return None
    # Into a file: a pipe that a child of the program keeps open would delay the timeout.
    with tempfile.TemporaryFile() as printed:
        try:
            subprocess.run(
                [program, "--server-version"],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.DEVNULL,
                timeout=timeout_s,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        printed.seek(0)
        host = _HOST.search(printed.read().decode(errors="replace"))
    return host[1] if host else None
