"""The single `ov.Core` of a process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov


@cache
def core() -> ov.Core:
    """The core, with its CPU plugin loaded; kept until the process ends.

    The plugin calls sigaltstack(2) for the thread that loads it, and frees that stack when it is unloaded. If another
    thread unloads it, the first one is left with a dangling signal stack, and the next signal with a Python handler
    ends the process with SIGSEGV (openvino 2026.4). So the plugin is never unloaded.
    """
    import openvino as ov

    shared = ov.Core()
    shared.get_versions("CPU")  # loads the plugin
    return shared


def release_idle_threads() -> None:
    """Ends the threads that no compiled model uses any more, which releases the cores reserved for them.

    OpenVINO keeps them for later models until any plugin is unloaded. So this loads one, and unloads it in the same
    thread. Not to be called right after a queue with Python callbacks was freed: unloading waits for threads while it
    holds the GIL, and a thread that frees a callback waits for the GIL.
    """
    import openvino as ov

    ov.Core().get_versions("CPU")
