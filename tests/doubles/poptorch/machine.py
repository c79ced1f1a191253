"""The machine that the double stands for, and the record of what was asked of it: both from the environment.

POPTORCH_DOUBLE_IPUS    IPUs of this machine (default 0)
POPTORCH_DOUBLE_IMPORT  `sdk` or `torch`: why `import poptorch` fails (default: it does not)
POPTORCH_DOUBLE_RECORD  file to which each event is appended as a line of JSON (default: none is kept)
POPTORCH_IPU_MODEL      `1`: models run on the simulator, as with the real one
"""

import json
import os
from pathlib import Path

HARDWARE_VERSION = 2


def ipus() -> int:
    return int(os.environ.get("POPTORCH_DOUBLE_IPUS", "0"))


def simulated() -> bool:
    return os.environ.get("POPTORCH_IPU_MODEL") == "1"


def record(event: str, **facts: object) -> None:
    path = os.environ.get("POPTORCH_DOUBLE_RECORD")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "process": os.getpid(), **facts}) + "\n")


_reason = os.environ.get("POPTORCH_DOUBLE_IMPORT")
if _reason == "sdk":
    raise ImportError("libpoplar.so: cannot open shared object file: No such file or directory")
assert _reason != "torch", "poptorch requires torch version 2.0.1"
