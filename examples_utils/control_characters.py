r"""Shows control characters as text, such as `\x1b`: on a terminal they could hide or replace what is there."""

from __future__ import annotations

import io
import re
import sys

# C0 without tab and line feed, DEL, C1, and the characters that change the direction of text (Unicode TR 36).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Of a command's live output, carriage returns and colours stay, which progress bars use, and backspaces.
_CONTROL_IN_OUTPUT = re.compile(
    rb"\x1b(?!\[[0-9;]*[mK])|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]"
)


def escaped(text: str) -> str:
    """Returns the text with all but tabs and ends of lines visible."""
    return _CONTROL.sub(_visible, text) if _CONTROL.search(text) else text


def one_line(text: str) -> str:
    """Returns the text with all but tabs visible: what follows a line break in it cannot look like a line of ours."""
    return escaped(text).replace("\n", "\\n")


def escaped_output(data: bytes) -> bytes:
    """Returns a command's output for a terminal: what could move the cursor or command the terminal is visible."""
    return _CONTROL_IN_OUTPUT.sub(_visible_bytes, data)


def escape_on_terminals() -> None:
    """From now on, what this process prints to a terminal is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, _Terminal) and stream.isatty():
            encoding = stream.encoding
            setattr(sys, name, _Terminal(stream.detach(), encoding, "backslashreplace", line_buffering=True))


def write_styled(text: str) -> None:
    """Prints text with our own colours, of which all that comes from elsewhere is escaped already."""
    write = sys.stdout.write_styled if isinstance(sys.stdout, _Terminal) else sys.stdout.write
    write(text)


class _Terminal(io.TextIOWrapper):
    """The text stream of a terminal."""

    def write(self, text: str) -> int:
        return super().write(escaped(text))

    def write_styled(self, text: str) -> int:
        return super().write(text)


def _visible(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _visible_bytes(match: re.Match[bytes]) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in match[0])
