"""Names of the folders of variants."""

from __future__ import annotations

import hashlib
import re

EARLIER_RUNS = "earlier_runs"  # folder inside a log folder for the runs that were in it before
_LONGEST_NAME = 120


def variant_folder(benchmark_folder: str, variant: str) -> str:
    """Returns a variant's folder, relative to the log folder."""
    return f"{safe_name(benchmark_folder)}/{safe_name(variant)}"


def safe_name(name: str) -> str:
    """Returns a folder name for a variant: its own if valid, else a readable part and a hash of the whole."""
    safe = re.sub(r"[^\w.+=,@%-]", "_", name)[:_LONGEST_NAME].lstrip(".")
    if safe == name and name not in (EARLIER_RUNS, ""):
        return safe
    return f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
