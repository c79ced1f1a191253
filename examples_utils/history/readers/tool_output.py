"""``import --parser``: what a tool has printed becomes a run of one benchmark."""

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
from examples_utils.machine.fingerprint import git_state, machine_fingerprint, software_fingerprint
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.results.record import FAILED, PASSED
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


@dataclass(frozen=True)
class Origin:
    """Where a tool ran and on which code, which its output does not say."""

    machine: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)


def origin_here() -> Origin:
    """This machine, and the checkout of the current folder."""
    return Origin(machine_fingerprint(), software_fingerprint(), git_state(Path.cwd()))


def check_tool(parser: str) -> None:
    """Refuses a parser that is not there, or that cannot do without a spec. Raises RequestError."""
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
    """The figures in a file as a run of the benchmark that is called like the file, which started when it was written.

    A run that the parser calls failed (LoadGen's INVALID ones) is one that failed.

    Raises:
        RequestError: the file cannot be read, or holds no figure of the tool.
    """
    try:
        parsed, content = _parse(file, parser)
        written = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    except OSError as error:
        raise RequestError(f"{file}: cannot be read: {error.strerror}; name the file of an output") from None
    if not parsed.metrics:
        raise RequestError(f"{file}: {'; '.join(parsed.problems)}; nothing of it was added")
    key = VariantKey(suite, file.stem, file.stem)
    figures = {
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
        # Not of the time: a copy of the file is the same run. Nor of the figures: a later parser may find more of them.
        run_id=digest_of(canonical([key, parser, content, origin.machine]))[:16],
        started_utc=written.isoformat(),
        machine=origin.machine,
        software={**origin.software, **({"reported": dict(parsed.versions)} if parsed.versions else {})},
        commit=origin.git.get("commit"),
        dirty=origin.git.get("dirty"),
        branch=origin.git.get("branch"),
        variants={key: facts},
        metrics=figures,
    )
    told = (*parsed.problems, *parsed.warnings)
    return Reading((run,), warnings=tuple(f"{file}: {text}" for text in told))


def _parse(file: Path, name: str) -> tuple[Parsed, str]:
    """What the parser finds, and a digest of what it was given."""
    parser = make_parser(name)
    content = hashlib.blake2b(digest_size=16)
    for block in line_blocks(file):
        content.update(block.encode())
        parser.feed(block)
    return parser.parsed(), content.hexdigest()
