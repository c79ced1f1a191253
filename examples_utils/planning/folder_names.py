"""Names of the folders of variants."""

from __future__ import annotations

import hashlib
import re
from fnmatch import fnmatchcase

EARLIER_RUNS = "earlier_runs"  # folder inside a log folder for the runs that were in it before
RECORDS_APART = "records_apart"  # folder inside a log folder for records that their own folders cannot hold
RUN_FILE = "run.json"
RUN_WIDE = (
    "benchmark_results.*",
    "*.log",
    "*-monitor.*",
    "preparation",
    "canary",
    "nightly_verdict.json",
    "report.html",
    RECORDS_APART,
    RUN_FILE,
)
"""What a run itself leaves in its log folder, as patterns; `run.json` is the last that is moved with the run."""
_LONGEST_NAME = 120  # bytes; file systems allow 255


def variant_folder(benchmark_folder: str, variant: str) -> str:
    """Returns a variant's folder, relative to the log folder."""
    return f"{safe_name(benchmark_folder)}/{safe_name(variant)}"


def safe_name(name: str) -> str:
    """Returns a folder name for a variant: its own if valid, else a readable part and a hash of the whole."""
    safe = re.sub(r"[^\w.+=,@%-]", "_", name).encode()[:_LONGEST_NAME].decode(errors="ignore").lstrip(".")
    if safe == name and name and not _is_taken(name):
        return safe
    return f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _is_taken(name: str) -> bool:
    return name == EARLIER_RUNS or any(fnmatchcase(name, pattern) for pattern in RUN_WIDE)
