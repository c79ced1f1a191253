"""`{name}` in a command: finds the parameters, and inserts their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter

_NAME = re.compile(r"[A-Za-z_][\w-]*")
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][\w-]*)\}")
_SHELL_VARIABLE = re.compile(r"\$\{(\w+)\}")


def placeholders(text: str) -> list[str]:
    """Returns the parameter names that a command uses, in order."""
    return [name for _, name in _pieces(text) if name is not None]


def fill(text: str, parameters: Mapping[str, str]) -> str:
    """Inserts the parameters' values into a command. Raises KeyError for an unknown parameter."""
    return "".join(piece + (parameters[name] if name is not None else "") for piece, name in _pieces(text))


@lru_cache(maxsize=256)
def _pieces(text: str) -> tuple[tuple[str, str | None], ...]:
    """Splits into literal text, each followed by the next parameter, if any.

    In a valid format string, `{{` and `}}` stand for one brace. Otherwise, as with JSON or shell code, every
    brace that does not enclose a lone name is left unchanged.
    """
    protected = _SHELL_VARIABLE.sub(r"${{\1}}", text)
    try:
        pieces = list(Formatter().parse(protected))
    except ValueError:
        pieces = []
    if pieces and all(name is None or (_NAME.fullmatch(name) and not spec and not conversion)
                      for _, name, spec, conversion in pieces):  # fmt: skip
        return tuple((literal, name) for literal, name, _, _ in pieces)
    parts = _PLACEHOLDER.split(text)
    return tuple(zip(parts[::2], [*parts[1::2], None], strict=True))
