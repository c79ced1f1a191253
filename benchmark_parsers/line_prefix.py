"""What launchers and log collectors write before a tool's own line: the tag of a process, a time stamp, colours."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_TIME = r"\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[AP]M)?(?:Z| ?[+-]\d\d:?\d\d)?"
_DATE = r"(?:\d{1,4}[-/.]\d\d[-/.]\d{1,4}[T ]|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} +\d{1,2} )"
# As of `ts`, `logger`, dmesg, Open MPI's --timestamp-output (with the year last), Python's logging and glog.
_STAMP = (
    rf"(?:\[{_DATE}?{_TIME}\]|{_DATE}?{_TIME}(?: \d{{4}})?(?=[ \t\[<]|$)|\d{{10}}\.\d+(?=[ \t])|\[ {{0,9}}\d+\.\d+\]"
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.-]+:\d+\])"
)
_LEVEL = r"(?:(?: -)? (?:INFO|DEBUG)(?: -|:(?:[\w.]+:)?)?(?= ))?"
# [0] of mpirun and mpiexec -l, [1,0]<stdout>: of Open MPI and poprun, [rank0]: of torchrun, 0: of srun --label,
# server-1 | of docker compose.
_TAG = (
    r"(?:\[(?=[^\]\n]{0,80}\d)[^\]\[\s]{1,80}\](?:<std(?:out|err)>:?|:|(?=\s|$))|<std(?:out|err)>:"
    r"|\d{1,6}:(?= )|[\w.-]{1,60} {0,20}\|(?= |$))"
)

# Bounded repetitions, and one way to match each blank: a line of any content is matched in linear time.
LINE_PREFIX = rf"\ufeff?(?:[ \t]{{0,80}}(?:{_STAMP}{_LEVEL}|{_TAG})){{0,4}}(?:(?<=[^ \t\n]) )?"
"""Matches the prefix of a line: byte order mark, tags and stamps, and at most one blank after them."""

_PREFIX = re.compile(rf"^{LINE_PREFIX}", re.MULTILINE)


def without_prefixes(block: str) -> str:
    """Returns the lines without prefixes and colours; what indents a line after its prefix stays."""
    return _PREFIX.sub("", without_colours(block))


def without_colours(block: str) -> str:
    """Returns the lines without the escape sequences that colour them on a terminal."""
    return _COLOUR.sub("", block) if "\x1b" in block else block


def plain_lines(block: str) -> list[str]:
    """Returns the lines without prefixes, colours and trailing blanks."""
    lines = without_prefixes(block).split("\n")
    if not lines[-1]:
        del lines[-1]  # after the last line end
    return [line.rstrip() for line in lines]
