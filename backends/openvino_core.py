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
