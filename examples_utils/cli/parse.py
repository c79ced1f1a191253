"""The `parse` command: read the metrics of existing output."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark_parsers.registry import ParserError, UnknownParserError
from examples_utils.execution.output_reader import OutputReader, metrics_json
from examples_utils.execution.output_worker import OutputWorker
from examples_utils.planning.options import Selection
from examples_utils.planning.plan import select
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.results.exit_status import exit_text
from examples_utils.spec.files import find_specs
from examples_utils.spec.loader import Benchmark, load_specs


def parse(parsed: argparse.Namespace) -> int:
    """Prints the metrics of an output as JSON. Returns 1 for a failed run.

    With a benchmark, its `data` is applied, and its own parser unless another is named. Its derived metrics are
    not computed: they may need a variant's parameters.

    Raises:
        RequestError: The parser, benchmark or file does not exist.
    """
    entry = _entry(parsed.spec, parsed.benchmark) if parsed.benchmark else None
    name = parsed.parser or (entry.parser if entry else None)
    if entry is None and name in (None, "regex"):
        raise RequestError("parse: name the --parser, or a --spec and --benchmark that define what to read")
    try:
        reader = OutputReader(entry.metrics if entry else (), name)
    except UnknownParserError as error:
        raise RequestError(f"--parser {name}: {error}; {did_you_mean(str(name), error.known)}") from None
    except ParserError as error:
        raise RequestError(f"--parser {name}: {error}") from None
    with contextlib.ExitStack() as stack:
        stdout = _on_disk(Path(parsed.stdout), stack)
        stderr = _on_disk(Path(parsed.stderr), stack) if parsed.stderr else None
        worker = stack.enter_context(contextlib.closing(OutputWorker(reader, stdout, stderr)))
        read = worker.finish(lambda: None)
    readings, output = read.metrics, read.parsed
    failure = exit_text(parsed.exitcode) if parsed.exitcode else None
    missing = [
        f"{metric}: {reading.reduced.reason}"
        for metric, reading in readings.items()
        if reading.reduced.reason
    ]
    reason = failure or "; ".join([*output.problems, *missing]) or None
    document: dict[str, Any] = {
        "status": "failed" if reason else "passed",
        "reason": reason,
        "metrics": metrics_json(readings, failure),
        "settings": dict(output.settings),
        "software": dict(output.versions),
        "warnings": list(output.warnings),
    }
    print(json.dumps(document, indent=2))
    return int(reason is not None)


def _entry(specs: Sequence[str], benchmark: str) -> Benchmark:
    chosen = select(load_specs(find_specs(specs)), Selection(specs=tuple(specs), benchmarks=(benchmark,)))
    if len(chosen) > 1:
        names = ", ".join(entry.name for entry in chosen[:5])
        raise RequestError(f"--benchmark {benchmark}: name one entry; this names {len(chosen)}: {names} …")
    return chosen[0]


def _on_disk(file: Path, stack: contextlib.ExitStack) -> Path:
    """Returns the file, or a copy of what a pipe holds, which can be read only once and only here."""
    try:
        with file.open("rb") as stream:
            if file.is_file():
                return file
            copy = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115 - the stack closes it
            shutil.copyfileobj(stream, copy)
            copy.flush()
            return Path(copy.name)
    except OSError as error:
        raise RequestError(f"{file}: cannot be read: {error.strerror}; name the file of an output") from None
