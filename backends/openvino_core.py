"""The one `ov.Core` of a process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov


@cache
def core() -> ov.Core:
    """The core, with its CPU plugin loaded; kept until the process ends.

    The plugin calls sigaltstack(2) for the thread that loads it, and frees that stack with itself. Freed by any other
    thread, it leaves the first one with a dangling signal stack, and the next signal that has a Python handler ends
    the process with SIGSEGV (openvino 2026.4). A plugin that is never freed has no such moment.
    """
    import openvino as ov

    made = ov.Core()
    made.get_versions("CPU")  # loads the plugin
    return made


def release_idle_threads() -> None:
    """Ends the threads that no compiled model uses any more, which gives back the cores reserved for them.

    OpenVINO keeps them for models to come, until some plugin is freed. Here one is loaded for just that, and freed by
    the thread that loaded it.
    """
    import openvino as ov

    ov.Core().get_versions("CPU")
