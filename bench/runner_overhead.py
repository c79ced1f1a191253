"""The runner's overhead over the commands that it runs.

Both sides of each comparison are measured alternately, and the medians of the rounds are reported.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench.command import run_command, seconds
from bench.targets import Row, Target

_RUNNER = [sys.executable, "-m", "examples_utils"]
# Runs the command line in its own process and then prints the peak memory of that process.
_RUNNER_WITH_PEAK = """
import sys
from pathlib import Path
from examples_utils.cli import main
code = main(sys.argv[1:])
# Not from getrusage(2), which also counts the process that started this one.
peak_kib = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print(f"peak {peak_kib / 1024}", file=sys.stderr)
sys.exit(code)
"""
_TRIVIAL = "print('throughput: 1 samples/sec, latency: 2 ms')"
_DATA = """  data:
    throughput: {regexp: 'throughput: *(.*?) samples\\/sec'}
    latency: {regexp: 'latency: *(.*?) ms'}
"""
# 100 bytes per line; every `every`-th line has metrics to parse.
_PRINTER = """
import sys
lines, every = int(sys.argv[1]), int(sys.argv[2])
plain = b"x" * 99 + b"\\n"
metrics = b"step 17 throughput: 123.456 samples/sec, latency: 7.891 ms".ljust(99, b".") + b"\\n"
block = b"".join(metrics if every and i % every == 0 else plain for i in range(10_000))
for _ in range(lines // 10_000):
    sys.stdout.buffer.write(block)
"""
_ONE_LINE = """
import sys
for _ in range(200):
    sys.stdout.buffer.write(b"x" * 1_000_000)
print("\\nthroughput: 1 samples/sec, latency: 2 ms")
"""


def measure_all(rounds: int = 5, variants: int = 200) -> Iterator[Row]:
    """The rows of the runner."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _help_row(rounds)
        yield from _trivial_rows(folder, variants, rounds)
        yield from _output_rows(folder, rounds)
        yield from _parser_rows(folder, rounds)
        yield from _list_rows(folder, rounds)


def _row(what: str, value: float, at_most: float, unit: str = "", decimals: int = 2) -> Row:
    return Row(what, value, target=Target(at_most=at_most), unit=unit, decimals=decimals)


def _help_row(rounds: int) -> Row:
    times_s = [seconds(lambda: run_command([*_RUNNER, "--help"])) for _ in range(rounds)]
    return _row("`--help`", median(times_s), 0.15, "s", decimals=3)


def _trivial_rows(folder: Path, variants: int, rounds: int) -> list[Row]:
    (folder / "trivial.py").write_text(_TRIVIAL)
    values = ",".join(map(str, range(variants)))
    (folder / "benchmarks.yml").write_text(
        f"trivial:\n  parameters: {{n: '{values}'}}\n  cmd: python3 trivial.py {{n}}\n{_DATA}"
    )
    loop = f'for n in $(seq {variants}); do "$0" trivial.py $n > out_$n 2> err_$n; done'
    runner_s, loop_s = [], []
    for number in range(rounds):
        loop_s.append(seconds(lambda: run_command(["sh", "-c", loop, sys.executable], folder)))
        runner_s.append(seconds(partial(_benchmark, folder, f"trivial_{number}")))
    ratio, own_ms = median(runner_s) / median(loop_s), (median(runner_s) - median(loop_s)) / variants * 1000
    return [
        _row(f"{variants} trivial variants / shell loop with the same commands", ratio, 1.25),
        _row("the runner's own time per trivial variant, start-up included", own_ms, 10, "ms", decimals=1),
    ]


def _output_rows(folder: Path, rounds: int) -> list[Row]:
    (folder / "printer.py").write_text(_PRINTER)
    (folder / "one_line.py").write_text(_ONE_LINE)
    cases = {
        "idle": "python3 trivial.py",
        "200 MB, 2 million lines, metrics in every 1000th line": "python3 printer.py 2000000 1000",
        "200 MB, 2 million lines, metrics in every line": "python3 printer.py 2000000 1",
        "200 MB in one line": "python3 one_line.py",
    }
    rows = []
    idle_mib = 0.0
    for title, command in cases.items():
        (folder / "benchmarks.yml").write_text(f"output:\n  cmd: {command}\n{_DATA}")
        alone_s, runner_s, peak_mib = [], [], []
        for number in range(rounds if title != "idle" else 1):
            with (folder / "alone").open("wb") as file:
                arguments = [sys.executable, *command.split()[1:]]
                alone_s.append(
                    seconds(partial(subprocess.run, arguments, cwd=folder, stdout=file, check=True))
                )
            begun = time.perf_counter()
            peak_mib.append(_benchmark_peak_mib(folder, f"{len(title)}_{number}"))
            runner_s.append(time.perf_counter() - begun)
        if title == "idle":
            idle_mib = peak_mib[0]
            continue
        beyond_s = median(runner_s) - median(alone_s)
        rows.append(_row(f"{title}: time beyond the producer's own", beyond_s, 2, "s"))
        above_mib = max(peak_mib) - idle_mib
        rows.append(_row(f"{title}: memory above idle", above_mib, 100, "MiB", decimals=0))
    return rows


def _parser_rows(folder: Path, rounds: int) -> list[Row]:
    source = random.Random(1)
    block = "".join(
        f"Throughput: {source.uniform(100, 900):.2f} imgs/sec; "
        f"Latency range: {source.uniform(1, 9):.3f}..{source.uniform(10, 19):.3f} ms\n"
        for _ in range(10_000)
    )
    results = "m results:\n\n\tthroughput: 118.00 samples/sec (mean)\n\n\tlatency avg: 8.500 ms (mean)\n"
    output = folder / "host_calls"
    with output.open("w") as file:
        for _ in range(200_000_000 // len(block) + 1):
            file.write(block)
        file.write(results)
    parse = [*_RUNNER, "parse", "--parser", "driver", "--stdout", str(output)]
    times_s = [seconds(partial(run_command, parse)) for _ in range(rounds)]
    return [_row("`parse --parser driver`, 200 MB of host calls", median(times_s), 3, "s")]


def _list_rows(folder: Path, rounds: int) -> list[Row]:
    entries = [
        f"b{i}:\n  cmd: python3 trivial.py {i}\n  timeout: 60\n  tags: [quick]\n{_DATA}" for i in range(2000)
    ]
    values = ",".join(map(str, range(2000)))
    specs = {
        "`list`, 2,000 variants of one entry": f"b:\n  parameters: {{n: '{values}'}}\n  cmd: run {{n}}\n{_DATA}",
        "`list`, 100 entries of 20 variants": "".join(
            f"b{i}:\n  parameters: {{n: '{','.join(map(str, range(20)))}'}}\n  cmd: run {i} {{n}}\n{_DATA}"
            for i in range(100)
        ),
        "`list`, 2,000 entries of one variant": "\n".join(entries),
    }
    rows = []
    for title, text in specs.items():
        (folder / "benchmarks.yml").write_text(text)
        list_spec = [*_RUNNER, "list", "--spec", str(folder / "benchmarks.yml")]
        times_s = [seconds(partial(run_command, list_spec)) for _ in range(rounds)]
        rows.append(_row(title, median(times_s), 0.5, "s"))
    return rows


def _benchmark(folder: Path, log: str) -> None:
    spec = str(folder / "benchmarks.yml")
    run_command([*_RUNNER, "benchmark", "--spec", spec, "--log-dir", str(folder / "logs" / log)], folder)


def _benchmark_peak_mib(folder: Path, log: str) -> float:
    spec = str(folder / "benchmarks.yml")
    arguments = ["benchmark", "--spec", spec, "--log-dir", str(folder / "logs" / log)]
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER_WITH_PEAK, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    return float(done.stderr.split()[-1])
