"""`import --parser`: a tool's output becomes a run of one benchmark."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmark_parsers.lines import line_blocks
from benchmark_parsers.parsed import Parsed
from benchmark_parsers.registry import REGEX, ParserError, UnknownParserError, check_parser, make_parser
from examples_utils.history.fingerprint import canonical, digest_of
from examples_utils.history.readers.results import Reading
from examples_utils.machine.fingerprint import machine_fingerprint, software_fingerprint
from examples_utils.machine.git import git_state
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.results.record import FAILED, PASSED
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


@dataclass(frozen=True)
class Origin:
    """The machine and code of a tool's run, which its output does not contain."""

    machine: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def origin_here() -> Origin:
    """Returns this machine, and the checkout of the current folder."""
    git, warning = git_state(Path.cwd())
    return Origin(machine_fingerprint(), software_fingerprint(), git, (warning,) if warning else ())


def check_tool(parser: str) -> None:
    """Refuses a parser that does not exist, or that needs a spec. Raises RequestError."""
    if parser == REGEX:
        raise RequestError(
            "--parser regex: its expressions are in a spec; run the command as an entry of it, with benchmark --spec"
        )
    try:
        check_parser(parser)
    except UnknownParserError as error:
        raise RequestError(f"--parser {parser}: {error}; {did_you_mean(parser, error.known)}") from None
    except ParserError as error:
        raise RequestError(f"--parser {parser}: {error}") from None


def read_tool_output(file: Path, parser: str, suite: str, origin: Origin) -> Reading:
    """Returns the metrics in a file as a run of a benchmark with the file's name, which started when it was written.

    A run that the parser reports as failed (such as LoadGen's INVALID ones) is stored as failed.

    Raises:
        RequestError: The file cannot be read, or contains no metric of the tool.
    """
    try:
        parsed, content = _parse(file, parser)
        written = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    except OSError as error:
        raise RequestError(f"{file}: cannot be read: {error.strerror}; name the file of an output") from None
    if not parsed.metrics:
        raise RequestError(f"{file}: {'; '.join(parsed.problems)}; nothing was added")
    key = VariantKey(suite, file.stem, file.stem)
    metrics = {
        MetricKey(*key, name): Metric((metric.value,), metric.unit, metric.direction, metric.reduction)
        for name, metric in parsed.metrics.items()
    }
    facts = VariantFacts(
        status=FAILED if parsed.problems else PASSED,
        reason="; ".join(parsed.problems) or None,
        settings=dict(parsed.settings),
        warnings=parsed.warnings,
    )
    run = Run(
        # Not of the time: a copy of the file is the same run. Nor of the metrics: a later parser may find more of them.
        run_id=digest_of(canonical([key, parser, content, origin.machine]))[:16],
        started_utc=written.isoformat(),
        machine=origin.machine,
        software={**origin.software, **({"reported": dict(parsed.versions)} if parsed.versions else {})},
        commit=origin.git.get("commit"),
        dirty=origin.git.get("dirty"),
        branch=origin.git.get("branch"),
        variants={key: facts},
        metrics=metrics,
    )
    remarks = [f"{file}: {text}" for text in (*parsed.problems, *parsed.warnings)]
    return Reading((run,), warnings=(*remarks, *origin.warnings))


def _parse(file: Path, name: str) -> tuple[Parsed, str]:
    """Returns the parser's result, and a digest of its input."""
    parser = make_parser(name)
    content = hashlib.blake2b(digest_size=16)
    for block in line_blocks(file):
        content.update(block.encode())
        parser.feed(block)
    return parser.parsed(), content.hexdigest()
