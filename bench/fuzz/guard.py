"""What a fuzzed command may touch: an audit hook that refuses everything else, and records the attempt.

A mutated spec may name any command and any path. Only programs that do nothing are started, no connection is made, and
nothing outside the allowed folders is written.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PROGRAMS = {"echo", "true", "false", "sleep"}
_QUERIES = {
    ("git", "rev-parse"),
    ("git", "status"),
    ("git", "config"),
    ("git", "branch"),
    ("git", "merge-base"),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS_OF = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1, "os.chown": 1,
             "os.rename": 2, "os.link": 2, "os.symlink": 2, "sqlite3.connect": 1}  # fmt: skip


def install_guard(allowed: list[str]) -> Callable[[], list[str]]:
    """Guards this process from now on; `allowed` may be changed later. Returns a function that takes the violations."""
    violations: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            _check_program(arguments[0], arguments[1])
        elif event == "open":
            path, _mode, flags = arguments
            if flags & _WRITING:
                _check_path(path, allowed, violations)
        elif event in _PATHS_OF:
            for path in arguments[-1:] if event == "os.symlink" else arguments[: _PATHS_OF[event]]:
                _check_path(path, allowed, violations)
        elif event in ("os.system", "os.exec", "os.posix_spawn"):
            violations.append(f"{event} {arguments!r:.200}")
            raise PermissionError(errno.EPERM, f"fuzzing refuses {event}")
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "fuzzing makes no connections")

    def take() -> list[str]:
        taken = list(violations)
        violations.clear()
        return taken

    sys.addaudithook(hook)
    return take


def _check_program(program: Any, words: Any) -> None:
    words = [os.fsdecode(word) for word in words] if isinstance(words, list | tuple) else []
    name = Path(os.fsdecode(program)).name
    harmless = name in _PROGRAMS or any((name, word) in _QUERIES for word in words)
    if not harmless:
        raise FileNotFoundError(errno.ENOENT, "fuzzing does not start", name)


def _check_path(path: Any, allowed: list[str], violations: list[str]) -> None:
    if isinstance(path, int):
        return
    name = os.fsdecode(path)
    if name in ("/dev/null", "/dev/tty", ":memory:") or "\x00" in name:
        return
    real = os.path.realpath(name)
    if not any(real == folder or real.startswith(folder + os.sep) for folder in allowed):
        violations.append(f"writes {name}")
        raise PermissionError(errno.EACCES, "fuzzing does not write", name)
