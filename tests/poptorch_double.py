"""A machine with IPUs, as far as tests/doubles has it."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.poprun import poprun_instance

DOUBLES = Path(__file__).parent / "doubles"
PACKAGES = ("poptorch", "popdist", "horovod")


@dataclass(frozen=True)
class Ipus:
    """`environment` is what makes another process see the same machine."""

    record: Path
    environment: dict[str, str]

    def events(self, event: str) -> list[dict[str, Any]]:
        """What was asked of PopTorch so far."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [known for known in map(json.loads, lines) if known["event"] == event]

    def the(self, event: str) -> dict[str, Any]:
        (found,) = self.events(event)
        return found


def machine_with_ipus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ipus]:
    """Four IPUs, in this process and, by their environment, in others, until the generator goes on."""
    record = tmp_path / "poptorch-double.jsonl"
    environment = {"POPTORCH_DOUBLE_IPUS": "4", "POPTORCH_DOUBLE_RECORD": str(record)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(DOUBLES))
    poprun_instance.cache_clear()
    yield Ipus(record, {**environment, "PYTHONPATH": str(DOUBLES)})
    poprun_instance.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    importlib.invalidate_caches()
