"""Runs 2,000 variants with failures, timeouts and kills of the runner, and checks that none is lost.

Kills the real command line with SIGKILL and SIGINT at random moments, and resumes it until it completes. Then every
variant must have exactly one record, with the outcome that its command produces.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

# Kind of command: the command, and the status that its variant must have.
_KINDS = {
    "passes": ("echo throughput: {n} samples/sec", "passed"),
    "fails": ("sh -c 'echo throughput: 1 samples/sec; exit 3'", "failed"),
    "silent": ("echo nothing to see in {n}", "failed"),
    "text": ("echo throughput: fast samples/sec", "failed"),
    "killed": ("sh -c 'kill -9 $$'", "failed"),
    "missing": ("no-such-program-{n}", "failed"),
    "slow": ("sleep 61{n}", "failed"),
    "leaves": ("sh -c 'sleep 62{n} & echo throughput: 2 samples/sec'", "passed"),
    "skipped": ("true", "skipped"),
}
_SHARES = {"passes": 0.6, "fails": 0.12, "silent": 0.08, "text": 0.08, "killed": 0.04, "missing": 0.04,
           "slow": 0.01, "leaves": 0.01, "skipped": 0.02}  # fmt: skip


def main() -> int:
    """Exit code 0, or 1 if a variant is lost or wrong, or a process is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=12, help="how often the runner is killed or interrupted")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    source = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = _write_spec(folder, arguments.variants, source)
        begun = time.monotonic()
        stops = _run_with_stops(folder, arguments.kills, source)
        problems = _check(folder / "log", expected)
        print(f"{len(expected)} variants, {stops} stops, {time.monotonic() - begun:.0f} s: "
              f"{len(problems)} problems")  # fmt: skip
        for problem in problems[:20]:
            print(f"  {problem}")
        return int(bool(problems))


def _write_spec(folder: Path, count: int, source: random.Random) -> dict[str, str]:
    """Writes the spec. Returns the status that each variant must have, by name."""
    entries, expected = [], {}
    kinds = source.choices(list(_SHARES), list(_SHARES.values()), k=count)
    for number, kind in enumerate(kinds):
        command, outcome = _KINDS[kind]
        entry = {
            "cmd": command.replace("{n}", str(number % 10)),
            "data": {"throughput": {"regexp": "throughput: *(.*?) samples/sec"}},
            "timeout": 1 if kind == "slow" else 60,
            "requires": ["another_planet"] if kind == "skipped" else [],
        }
        entries.append(f"{kind}_{number}: {json.dumps(entry)}")
        expected[f"{kind}_{number}"] = outcome
    (folder / "benchmarks.yml").write_text("\n".join(entries) + "\n")
    return expected


def _run_with_stops(folder: Path, kills: int, source: random.Random) -> int:
    """Starts and resumes the runner until it completes. Returns how often it was stopped."""
    runner = [sys.executable, "-m", "examples_utils", "benchmark"]
    command = [*runner, "--spec", "benchmarks.yml", "--log-dir", "log", "--logging", "ERROR"]
    stops = 0
    while True:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            process.wait(source.uniform(0.5, 4) if stops < kills else None)
        except subprocess.TimeoutExpired:
            stops += 1
            process.send_signal(source.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT]))
            process.wait()
            if (folder / "log/run.json").exists():
                command = [*runner, "--resume", "log"]
        else:
            return stops


def _check(log: Path, expected: dict[str, str]) -> list[str]:
    results = json.loads((log / "benchmark_results.json").read_text())
    records = [record for records in results.values() for record in records]
    counts = collections.Counter(record["variant_name"] for record in records)
    problems = [f"{name}: {counts[name]} records" for name in expected if counts[name] != 1]
    problems += [f"{name}: not in the spec" for name in counts if name not in expected]
    for record in records:
        status = expected.get(record["variant_name"])
        if record["status"] != status:
            problems.append(
                f"{record['variant_name']}: {record['status']} ({record['reason']}), expected {status}"
            )
        elif status == "passed" and record["results"]["throughput"]["mean"] is None:
            problems.append(f"{record['variant_name']}: passed without its metric")
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if _is_ours(p)]
    return problems + [f"process {pid} is left" for pid in left]


def _is_ours(process: psutil.Process) -> bool:
    arguments = process.info["cmdline"] or []
    return arguments[:1] == ["sleep"] and re.fullmatch(r"6[12]\d", " ".join(arguments[1:])) is not None


if __name__ == "__main__":
    raise SystemExit(main())
