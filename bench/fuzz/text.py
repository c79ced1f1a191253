"""Mutations of text: of a document's spelling, and of the lines of an output."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.fuzz.case import text_of
from bench.fuzz.hostile import TEXTS, TOKENS


def mutated_text(text: str, source: random.Random) -> str:
    """Returns the text with one to six changes."""
    for _ in range(source.choice((1, 1, 2, 3, 6))):
        text = source.choice(_MUTATIONS)(text, source)
    return text


def re_encoded(text: str, source: random.Random) -> str:
    """Returns the text with other ends of lines, in another encoding, or indented."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: text.replace("\n", "\r\n"),
        lambda: text.replace("\n", "\r"),
        lambda: "\ufeff" + text,
        lambda: text_of(text.encode("utf-16", "replace")),
        lambda: text_of(text.encode("latin-1", "replace")),
        lambda: text.replace("\n", " \n"),
        lambda: "".join(f"[0] {line}" for line in text.splitlines(keepends=True)),
        lambda: "".join(f"2026-01-02 03:04:05,678 {line}" for line in text.splitlines(keepends=True)),
        lambda: "".join(f"\t  {line}" for line in text.splitlines(keepends=True)),
    )
    return source.choice(forms)()


def _insert(text: str, source: random.Random) -> str:
    position = source.randint(0, len(text))
    end = position + source.choice((0, 0, 1, 2, 5, 20))
    return text[:position] + source.choice((*TOKENS, *TEXTS)) + text[end:]


def _delete(text: str, source: random.Random) -> str:
    position = source.randint(0, len(text))
    return text[:position] + text[position + source.choice((1, 2, 10, 100)) :]


def _cut(text: str, source: random.Random) -> str:
    return text[: source.randint(0, len(text))]


def _lines(text: str, source: random.Random) -> str:
    """Deletes, repeats or moves lines."""
    lines = text.split("\n")
    start = source.randrange(len(lines))
    end = min(len(lines), start + source.choice((1, 1, 3, 10)))
    part = lines[start:end]
    kind = source.random()
    if kind < 0.3:
        del lines[start:end]
    elif kind < 0.6:
        lines[start:start] = part * source.choice((1, 2, 100))
    else:
        del lines[start:end]
        position = source.randint(0, len(lines))
        lines[position:position] = part
    return "\n".join(lines)


def _number(text: str, source: random.Random) -> str:
    """Replaces a number."""
    positions = [index for index, character in enumerate(text) if character.isdigit()]
    if not positions:
        return text
    start = end = source.choice(positions)
    while end < len(text) and (text[end].isdigit() or text[end] == "."):
        end += 1
    return text[:start] + source.choice(_NUMBERS) + text[end:]


_NUMBERS = (
    "", "0", "-1", "-0.0", "nan", "inf", "-inf", "1e999", "1e-400", "1,234.5", "1_234", "1.2.3", "١٢",
    "1" * 400, "1e5", "0x1F", "1 234", "1'234", "+5", ".5", "5.", "N/A", "[5]", '"5"', "1e400000",
)  # fmt: skip


def _twice(text: str, _source: random.Random) -> str:
    return text + text


_MUTATIONS = (_insert, _insert, _delete, _cut, _lines, _lines, _number, _number, _twice)
