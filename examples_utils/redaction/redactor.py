"""Replaces secrets with `***`, in texts, in records and in streams of output."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from examples_utils.redaction.secret_values import has_secret_name, is_plain, is_reference

HIDDEN = "***"
_IDENTITY = ("benchmark_path", "suite", "benchmark_name", "variant_name", "params", "log_paths")
# Of a URL, from after its scheme, so that a search for a fixed text finds it. Every part ends at the next `/`, or its
# length is limited, so that no output takes quadratic time. ASCII, as the bytes of an output are searched as text.
_END = r"\s'\"<>"
_PASSWORD = re.compile(rf"://([^/?#:{_END}]*):[^/?#{_END}]*@", re.ASCII)
_TOKEN = re.compile(rf"://(?i:(?<=http://)|(?<=https://))[^/?#:{_END}]*@", re.ASCII)
_URL = re.compile(rf"://[^{_END}]{{1,8192}}", re.ASCII)
_PARAMETER = re.compile(
    r"([?&;][\w.-]{0,64}(?:token|key|password|passwd|secret|credential|signature)=)[^&;#\s]+", re.ASCII | re.I
)
# Of a line without an end; memory does not grow with it.
_LONGEST_LINE = 1 << 20
_LONGEST_CREDENTIAL = 8192


@dataclass(frozen=True)
class Redactor:
    """Replaces these values, the longest first, and the credentials in URLs; `known_words` are no secrets."""

    values: tuple[str, ...] = ()
    known_words: Collection[str] = ()

    def text(self, text: str) -> str:
        """Returns the text without secrets."""
        for value in self._forms:
            if value in text:
                text = text.replace(value, HIDDEN)
        return _without_credentials(text)

    def value(self, value: Any) -> Any:
        """Returns a value of JSON without secrets in its texts; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        return value

    def record(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the facts of a variant's record without secrets; what identifies it, and its log files, stay."""
        return {
            name: fact if name in _IDENTITY else self.variables(fact) if name == "env" else self.value(fact)
            for name, fact in facts.items()
        }

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """Returns variables without secrets: also short values, which are not replaced elsewhere."""
        return {name: self._variable(name, value) for name, value in env.items()}

    def output(self, data: bytes) -> bytes:
        """Returns whole lines of output without secrets."""
        for value in self._byte_forms:
            data = data.replace(value, HIDDEN.encode())
        if b"@" in data or b"?" in data:
            data = _without_credentials(data.decode("latin-1")).encode("latin-1")
        return data

    @cached_property
    def longest(self) -> int:
        """The length of the longest secret, in bytes."""
        return max(_LONGEST_CREDENTIAL, *map(len, self._byte_forms), 0)

    def _variable(self, name: str, value: str) -> str:
        if has_secret_name(name) and not (is_reference(value) or is_plain(value, self.known_words)):
            return HIDDEN
        return self.text(value)

    @cached_property
    def _forms(self) -> tuple[str, ...]:
        """The values, and how they look in URLs and in JSON."""
        forms = {
            form for value in self.values for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])
        }
        return tuple(sorted(forms, key=lambda form: (-len(form), form)))

    @cached_property
    def _byte_forms(self) -> tuple[bytes, ...]:
        return tuple(form.encode("utf-8", "surrogateescape") for form in self._forms)


class OutputRedaction:
    """Redacts output as it arrives, in pieces that may end anywhere: a line is passed on when it is complete."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Returns what can be passed on."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            complete, self._held = self._held + data[:end], data[end:]
            return self._redactor.output(complete)
        self._held += data
        if len(self._held) <= _LONGEST_LINE:
            return b""
        redacted = self._redactor.output(self._held)
        passed_on, self._held = redacted[: -self._redactor.longest], redacted[-self._redactor.longest :]
        return passed_on

    def finish(self) -> bytes:
        """Returns the rest."""
        rest, self._held = self._held, b""
        return self._redactor.output(rest)


def _without_credentials(text: str) -> str:
    """Returns the text without passwords and secret parameters in URLs; of http, also without users of no password.

    A replacement that calls no function for each match is several times as fast, and a single character is found
    several times as fast as `://`.
    """
    if "@" in text:
        text = _PASSWORD.sub(rf"://\1:{HIDDEN}@", text)
        text = _TOKEN.sub(f"://{HIDDEN}@", text)
    if "?" in text and _PARAMETER.search(text):
        text = _URL.sub(lambda url: _PARAMETER.sub(rf"\1{HIDDEN}", url[0]), text)
    return text
