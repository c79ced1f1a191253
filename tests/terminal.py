"""Programs on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def on_a_terminal(argv: Sequence[str]) -> str:
    """What `argv` shows on a terminal of 100 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(argv, cwd=ROOT, stdout=slave, stderr=slave, stdin=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the last writer has closed the terminal
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait() == 0, shown.decode()
    return shown.decode()
