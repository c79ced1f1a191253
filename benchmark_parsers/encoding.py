"""The encoding of a tool's output: files written on Windows begin with a byte order mark, or are UTF-16."""

from __future__ import annotations

import codecs

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST_BYTES = frozenset(mark[0] for mark, _ in _MARKS)
_LONGEST_MARK = 4


class Utf8Transcoder:
    """Turns a stream in UTF-8, UTF-16 or UTF-32 into UTF-8 without a byte order mark.

    Without a mark, a stream is UTF-16 if every second one of its first four bytes is zero, otherwise UTF-8. UTF-8 is
    passed on as it is, with its invalid bytes.
    """

    def __init__(self) -> None:
        self._start: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes, final: bool = False) -> bytes:
        """Returns what is known so far; at most four bytes are held back until the encoding is known."""
        if self._start is not None:
            chunk = self._start + chunk
            if not final and _is_undecided(chunk):
                self._start = chunk
                return b""
            self._start = None
            mark, encoding = _mark_and_encoding(chunk)
            chunk = chunk[len(mark) :]
            if encoding != "utf-8":
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        return chunk if self._decoder is None else self._decoder.decode(chunk, final).encode()


def _is_undecided(start: bytes) -> bool:
    if len(start) >= _LONGEST_MARK:
        return False
    return start == b"" or start[0] in _FIRST_BYTES or b"\0" in start or (len(start) == 1 and start != b"\n")


def _mark_and_encoding(start: bytes) -> tuple[bytes, str]:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return mark, encoding
    is_zero = [byte == 0 for byte in start[:_LONGEST_MARK]]
    if is_zero == [False, True, False, True]:
        return b"", "utf-16-le"
    return b"", "utf-16-be" if is_zero == [True, False, True, False] else "utf-8"
