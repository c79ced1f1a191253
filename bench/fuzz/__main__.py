"""Tries hostile specs, records, result files and outputs of tools on the runner, for some minutes.

Each must end with a documented exit code: without a traceback, more than 5 s of processor time, more than 500 MB of
memory, or a file outside the log folder. Failing cases are shortened and stored, to be tried again with --replay.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

from bench.fuzz.case import Case, load, store
from bench.fuzz.client import Client
from bench.fuzz.corpus import real_run
from bench.fuzz.judge import MEMORY_MIB, Judge
from bench.fuzz.minimise import minimised
from bench.fuzz.source import cases

_MINIMISING_S = 20.0


def main() -> int:
    """Exit code 0, 1 if a case fails, or 2 if the file to replay cannot be read."""
    parser = argparse.ArgumentParser(prog="python3 -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long (default: 300)")
    parser.add_argument("--seed", type=int, help="repeat the cases of an earlier run (default: a new one)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try one stored case")
    parser.add_argument("--failures", type=Path, default=Path("logs/fuzz"), help="folder for failing cases")
    arguments = parser.parse_args()
    try:
        replayed = load(arguments.replay) if arguments.replay else None
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"--replay {arguments.replay}: {error}; name a file that `make fuzz` has stored")
    seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        scratch = Path(name).resolve()
        with Client(scratch, MEMORY_MIB) as client:
            judge = _judge(client, scratch)
            if replayed:
                return _replay(judge, replayed)
            return _fuzz(judge, seed, arguments.seconds, arguments.failures)


def _judge(client: Client, scratch: Path) -> Judge:
    folders = [scratch / "run", scratch / "base"]
    for folder in folders:
        folder.mkdir()
    run, _base = map(real_run, folders)
    return Judge(client, scratch, run, folders[1] / "log" / "benchmark_results.json")


def _replay(judge: Judge, case: Case) -> int:
    fault = judge.fault_of(case)
    print(f"{fault.signature}\n{fault.details}" if fault else "no fault")
    return int(fault is not None)


def _fuzz(judge: Judge, seed: int, seconds: float, failures: Path) -> int:
    print(f"seed {seed}: repeat with `make fuzz SEED={seed}`", flush=True)
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    first: dict[str, Case] = {}
    until = time.monotonic() + seconds
    for case in cases(seed, judge.run):
        if time.monotonic() > until:
            break
        tried[case.kind] += 1
        fault = judge.fault_of(case)
        if fault and fault.signature not in first:
            fault = judge.confirmed(case, fault)
            if fault is None:
                print(f"case {case.seed} failed once, but not again in a fresh process", flush=True)
            elif fault.signature not in first:
                first[fault.signature] = case
                file = _store(case, fault.signature, failures)
                print(f"case {case.seed}: {fault.signature}\n  make fuzz REPLAY={file}", flush=True)
        if fault:
            found[fault.signature] += 1
    counts = ", ".join(f"{number} of {kind}" for kind, number in sorted(tried.items()))
    print(f"{sum(tried.values())} cases ({counts}): {len(found)} faults")
    for signature, number in found.most_common():
        print(f"  {number:5} x {signature}", flush=True)
    for signature, case in first.items():
        limit_s = min(_MINIMISING_S, seconds / len(first))
        _store(minimised(case, partial(_fails, judge, signature), limit_s), signature, failures)
    return int(bool(found))


def _store(case: Case, signature: str, failures: Path) -> Path:
    return store(case, signature, failures, hashlib.sha256(signature.encode()).hexdigest()[:12])


def _fails(judge: Judge, signature: str, case: Case) -> bool:
    fault = judge.fault_of(case)
    return fault is not None and fault.signature == signature


if __name__ == "__main__":
    raise SystemExit(main())
