"""Checks that nights of the suite's own quick entries raise no false alarm and report deliberate changes.

Ten nights of the unchanged entries, then two nights with one changed entry each:

- `--threads 1` in its command, which shows in its effective settings;
- another process that keeps one core busy, which shows only in the metrics.

Writes docs/nightly-check.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.command import ROOT
from measurement.machine import available_cores, cpu_model

PAGE = ROOT / "docs" / "nightly-check.md"
_COMMAND = re.compile(r"^( *cmd: )(python3 run_benchmark\.py --config (\S+) --data real)$", re.MULTILINE)
# Runs its arguments as a command while another process keeps one core busy.
_BUSY_CORE = """
import subprocess, sys
busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
try:
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
finally:
    busy.kill()
"""


@dataclass(frozen=True)
class Checked:
    """One night: what was changed (empty: nothing), and whether its verdict is correct."""

    changed: str
    verdict: dict[str, Any]
    minutes: float
    correct: bool

    @property
    def row(self) -> str:
        """A row of the page's table."""
        reported = [
            f"{one['variant']} {one['metric']} {_change(one['ratio'])}" for one in self.verdict["regressions"]
        ]
        reported += sorted({f"{one['variant']}: {one['reason']}" for one in self.verdict["not_comparable"]})
        repeated = ", ".join(one["variant"] for one in self.verdict["repeated"])
        cells = [
            self.changed or "none",
            self.verdict["verdict"],
            "; ".join(reported),
            repeated,
            f"{self.minutes:.1f}",
        ]
        return f"| {' | '.join(cells)} | {'yes' if self.correct else '**no**'} |"


def _change(ratio: float | None) -> str:
    return "(a value of 0 or below)" if ratio is None else f"{ratio - 1:+.1%}"


def main() -> int:
    """Exit code 0, or 1 if a verdict is wrong."""
    parser = argparse.ArgumentParser(prog="python3 -m bench.real_check", description=__doc__)
    parser.add_argument("--nights", type=int, default=10, help="nights without a change (default: 10)")
    parser.add_argument(
        "--repeat", type=int, default=5, help="repetitions of each entry per night (default: 5)"
    )
    parser.add_argument(
        "--duration", type=float, help="seconds of each measurement (default: the entry's own)"
    )
    parser.add_argument(
        "--entries", nargs="+", default=["*"], metavar="NAME", help="run only these quick entries"
    )
    parser.add_argument(
        "--slip-into",
        default="mobilenet-v3-small",
        metavar="CONFIG",
        help="configuration whose entry is changed (default: %(default)s)",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="real-check-") as name:
        checked = []
        for one in _nights(Path(name), options):
            print(one.row, flush=True)
            checked.append(one)
    PAGE.write_text(_page(checked, options), encoding="utf-8")
    print(f"written: {PAGE}", file=sys.stderr)
    return int(not all(one.correct for one in checked))


def _nights(folder: Path, options: argparse.Namespace) -> Any:
    (folder / "busy_core.py").write_text(_BUSY_CORE)
    # The runner finds the driver next to the spec; Python finds the driver's modules next to the target of the link.
    (folder / "run_benchmark.py").symlink_to(ROOT / "run_benchmark.py")
    entry = f"pytorch_{options.slip_into.replace('-', '_')}_infer"
    # Otherwise a run would spend most of its time compiling the same model again.
    more = ["--model-cache-path", str(folder / "models")]
    more += [] if options.duration is None else ["--duration", f"{options.duration:g}"]
    for _ in range(options.nights):
        _write_spec(folder, options.slip_into, more)
        verdict, minutes = _night(folder, options)
        quiet = not verdict["regressions"] and not verdict["not_comparable"] and not verdict["failed"]
        yield Checked("", verdict, minutes, quiet)
    _write_spec(folder, options.slip_into, more, slipped=("--threads", "1"))
    verdict, minutes = _night(folder, options)
    reported = {one["benchmark"] for one in verdict["not_comparable"] if "threads" in one["reason"]}
    correct = reported == {entry} and not verdict["regressions"]
    yield Checked(f"`--threads 1` in {entry}", verdict, minutes, correct)
    _write_spec(folder, options.slip_into, more, before=("python3", "busy_core.py"))
    verdict, minutes = _night(folder, options)
    reported = {one["benchmark"] for one in verdict["regressions"]}
    yield Checked(f"another process keeps a core busy during {entry}", verdict, minutes, reported == {entry})


def _write_spec(
    folder: Path, config: str, more: Sequence[str], slipped: Sequence[str] = (), before: Sequence[str] = ()
) -> None:
    """Writes the suite's spec with `more` flags in its quick entries, and a change in one of them."""

    def changed(match: re.Match[str]) -> str:
        ours = match[3] == config
        return match[1] + " ".join([*(before if ours else ()), match[2], *more, *(slipped if ours else ())])

    text, count = _COMMAND.subn(changed, (ROOT / "benchmarks.yml").read_text(encoding="utf-8"))
    if not count or config not in text:
        sys.exit(f"benchmarks.yml: no quick entry with --config {config}")
    (folder / "benchmarks.yml").write_text(text, encoding="utf-8")


def _night(folder: Path, options: argparse.Namespace) -> tuple[dict[str, Any], float]:
    begun_s = time.monotonic()
    arguments = [
        "nightly",
        "--tag",
        "quick",
        "--benchmark",
        *options.entries,
        "--repeat",
        str(options.repeat),
    ]
    log_folder = folder / f"night_{time.monotonic_ns()}"
    arguments += ["--quiet", "--log-dir", str(log_folder), "--lock", "lock"]
    done = subprocess.run(
        [sys.executable, "-m", "examples_utils", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    file = log_folder / "nightly_verdict.json"
    if done.returncode not in (0, 1) or not file.exists():
        sys.exit(f"a night ended with exit code {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr}")
    verdict: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return verdict, (time.monotonic() - begun_s) / 60


def _page(checked: Sequence[Checked], options: argparse.Namespace) -> str:
    duration = "their own durations" if options.duration is None else f"{options.duration:g} s each"
    lines = [
        "# Nights on a real machine",
        "",
        "Written by `make real-check`: consecutive nights of the suite's own quick entries, which share a cache of "
        "compiled models.",
        "",
        f"{datetime.date.today()}: {cpu_model()}, {available_cores()} cores; {options.repeat} repetitions of "
        f"{duration}.",
        "",
        "| change | verdict | reported | rerun | minutes | correct |",
        "| --- | --- | --- | --- | --- | --- |",
        *(one.row for one in checked),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
