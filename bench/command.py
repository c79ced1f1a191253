"""Commands to be timed, with their bytecode already cached."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence


def run_command(command: Sequence[str]) -> None:
    """Runs it with bytecode caching, whatever the environment sets. Raises `CalledProcessError` if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
