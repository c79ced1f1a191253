"""The machine that the double stands for, and the record of what was asked of it: both from the environment.

POPTORCH_DOUBLE_IPUS      IPUs of this machine (default 0)
POPTORCH_DOUBLE_IMPORT    `pkg_resources`, `sdk` or `torch`: why `import poptorch` fails (default: it does not)
POPTORCH_DOUBLE_RECORD    file to which each event is appended as a line of JSON (default: none is kept)
POPTORCH_IPU_MODEL        a number other than 0: models run on the simulator, as with the real one
POPTORCH_SMALL_IPU_MODEL  the same, with few tiles
"""

import json
import os
import sys
import weakref
from pathlib import Path

HARDWARE_VERSION = 2


def ipus() -> int:
    return int(os.environ.get("POPTORCH_DOUBLE_IPUS", "0"))


def simulated() -> bool:
    """The real one calls std::stoi, which ends in an error for what is no number."""
    return any(int(os.environ.get(f"POPTORCH_{kind}", "0")) for kind in ("IPU_MODEL", "SMALL_IPU_MODEL"))


def reserved(count: int) -> int:
    """Devices are groups of IPUs, and there are only those of a power of two."""
    return 1 << (count - 1).bit_length()


def has_device_of(count: int) -> bool:
    return not simulated() and count == reserved(count) and count <= ipus()


_attached: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
"""IPUs of each model of this process: others find them in use."""


def attach(model: object, count: int) -> None:
    if not has_device_of(count) or sum(_attached.values()) + count > ipus():
        raise RuntimeError(f"Failed to acquire {count} IPU(s)")
    _attached[model] = count


def detach(model: object) -> None:
    _attached.pop(model, None)


def log_warning(message: str) -> None:
    print(f"[poptorch] [warning] {message}", file=sys.stderr)


def record(event: str, **facts: object) -> None:
    path = os.environ.get("POPTORCH_DOUBLE_RECORD")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "process": os.getpid(), **facts}) + "\n")


_reason = os.environ.get("POPTORCH_DOUBLE_IMPORT")
if _reason == "pkg_resources":
    raise ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources")
if _reason == "sdk":
    raise ImportError("libpoplar.so: cannot open shared object file: No such file or directory")
assert _reason != "torch", "poptorch requires torch version 2.0.1"
