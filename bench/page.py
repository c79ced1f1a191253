"""Generated pages whose sections are renewed one by one; each states where and when it was measured."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from measurement.machine import available_cores, cpu_model, has_native_bfloat16

_PACKAGES = ("torch", "openvino", "onnxruntime", "timm")


def renew_section(page: Path, head: str, names: Sequence[str], name: str, lines: Sequence[str]) -> None:
    """Writes `lines` under the heading `name` and keeps the page's other sections, in the order of `names`."""
    text = page.read_text(encoding="utf-8") if page.exists() else head
    _, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = {section.splitlines()[0].removeprefix("## "): section.strip() for section in sections}
    kept[name] = "\n".join([f"## {name}", "", *lines])
    in_order = [kept[known] for known in names if known in kept]
    page.write_text("\n\n".join([head.strip(), *in_order]) + "\n", encoding="utf-8")
    print(f"written: {page}", file=sys.stderr)


def measured_on() -> str:
    """Date, machine and versions, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    sixteen_bit = "with" if has_native_bfloat16() else "without"
    return (
        f"{datetime.date.today()}: {cpu_model()}, {available_cores()} cores, {sixteen_bit} native bfloat16; "
        f"{packages}."
    )
