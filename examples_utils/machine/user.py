"""Who gives a command."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess

from examples_utils.machine.git import git_environment


def user() -> str:
    """Returns git's `user.name`, if it is set, with the user and the host: `Ada Lovelace (ada@vm)`."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # in a container, the user may have no name
        account = str(os.getuid())
    here = f"{account}@{platform.node()}"
    name = _git_name()
    return f"{name} ({here})" if name else here


def _git_name() -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", "user.name"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            env=git_environment(),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(done.stdout.decode("utf-8", "replace").split())
