"""How a command ended, in words."""

from __future__ import annotations


def exit_text(exitcode: int) -> str:
    """Describes the end of a process by its exit code, or by the number of a signal, negated."""
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    import signal

    try:
        return f"was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"was ended by signal {-exitcode}"
