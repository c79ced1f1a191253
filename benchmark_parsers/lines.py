"""Splits a stream of bytes into whole lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark_parsers.encoding import Utf8Transcoder

# A block that fits into a core's own cache is parsed a fifth faster than a megabyte at once.
BLOCK_BYTES = 1 << 18
# A program that never ends its line must not fill the memory: longer lines are cut into pieces of
# this size, and a match across a cut is not found.
LONGEST_LINE_BYTES = 1 << 20


class LineBlocks:
    r"""Turns chunks of bytes, cut anywhere, into blocks of whole lines of text.

    Lines end with `\n`, `\r\n` or `\r` (progress bars rewrite their line with it); in a block, every
    line ends with `\n`. UTF-16 and UTF-32 are recognised (see `encoding`), a byte order mark is removed, and bytes
    that are not UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._transcoder = Utf8Transcoder()
        self._unfinished: list[bytes] = []
        self._unfinished_bytes = 0

    def feed(self, chunk: bytes) -> str:
        """Returns the lines that `chunk` completes, possibly none."""
        return self._feed(self._transcoder.feed(chunk))

    def finish(self) -> str:
        """Returns the rest, if the last line has no line end."""
        whole = self._feed(self._transcoder.feed(b"", final=True))
        return whole + self._rest()

    def _feed(self, chunk: bytes) -> str:
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if not end:
            self._unfinished.append(chunk)
            self._unfinished_bytes += len(chunk)
            return self._rest() if self._unfinished_bytes >= LONGEST_LINE_BYTES else ""
        whole = b"".join([*self._unfinished, memoryview(chunk)[:end]])
        self._unfinished = [chunk[end:]] if end < len(chunk) else []
        self._unfinished_bytes = len(chunk) - end
        return _as_text(whole)

    def _rest(self) -> str:
        rest = b"".join(self._unfinished)
        self._unfinished, self._unfinished_bytes = [], 0
        return _as_text(rest)


def line_blocks(path: Path) -> Iterator[str]:
    """Yields the file's lines, one block at a time."""
    blocks = LineBlocks()
    with path.open("rb") as file:
        while chunk := file.read(BLOCK_BYTES):
            if block := blocks.feed(chunk):
                yield block
    if block := blocks.finish():
        yield block


def _as_text(lines: bytes) -> str:
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines.decode("utf-8", errors="replace")
