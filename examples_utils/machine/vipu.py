"""The V-IPU server that this machine's `vipu` talks to."""

from __future__ import annotations

import re
import shutil
import subprocess

_TIMEOUT_S = 20
_HOST = re.compile(r"^\s*host:\s*(\S+?)(?::\d+)?\s*$", re.MULTILINE)


def vipu_server_host(path: str | None) -> str | None:
    """Returns the host that `vipu --server-version` prints; None without that program, server or line.

    `path` is the PATH on which the program is searched.
    """
    program = shutil.which("vipu", path=path)
    if not program:
        return None
    try:
        done = subprocess.run(
            [program, "--server-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    host = _HOST.search(done.stdout.decode(errors="replace"))
    return host[1] if host else None
