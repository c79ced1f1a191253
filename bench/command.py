"""Commands as they are timed: on a machine that has run them before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence


def run_command(command: Sequence[str]) -> None:
    """Runs it with its bytecode kept, whatever the environment says of that. Raises CalledProcessError if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
