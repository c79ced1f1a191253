"""`doctor`: prints whether this machine can be measured well, and what would mend it."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict

from examples_utils.doctor.checks import Check, Level, checks
from examples_utils.doctor.observation import observe
from examples_utils.machine.fingerprint import allowed_cpus


def doctor(parsed: argparse.Namespace) -> int:
    """Returns 0, or 1 if something is bad. Raises RequestError."""
    found = checks(observe(parsed.seconds), len(allowed_cpus()))
    print(_as_json(found) if parsed.json else _as_text(found))
    return int(any(check.level is Level.BAD for check in found))


def _as_json(found: Sequence[Check]) -> str:
    return json.dumps({"hostname": platform.node(), "checks": [asdict(check) for check in found]}, indent=2)


def _as_text(found: Sequence[Check]) -> str:
    names, levels = (
        max(map(len, column)) for column in zip(*((c.name, c.level.value) for c in found), strict=True)
    )
    lines = []
    for check in found:
        lines.append(f"{check.level.value:{levels}}  {check.name:{names}}  {check.found}")
        if check.remedy:
            lines.append(f"{'':{levels}}  {'':{names}}  -> {check.remedy}")
    return "\n".join(lines)
