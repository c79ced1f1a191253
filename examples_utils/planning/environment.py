"""The environment of a command: the runner's own, the entry's, and that of the options."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples_utils.planning.options import CommandOptions

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_POPLAR_LEVELS = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "ERROR": "ERR", "CRITICAL": "ERR"}
NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""Documented switches of libraries: no program that runs here sends telemetry (docs/telemetry.md)."""

_LEVEL_VARIABLES = ("POPLAR_LOG_LEVEL", "POPART_LOG_LEVEL")
_ENGINE_OPTIONS = "POPLAR_ENGINE_OPTIONS"
_PROFILE_OPTIONS = {"autoReport.all": "true", "autoReport.outputSerializedGraph": "false"}


def additions(
    entry_env: Mapping[str, str], options: CommandOptions, outer: Mapping[str, str]
) -> dict[str, str]:
    """Returns the variables that a command gets in addition to, or instead of, those of `outer`."""
    added = {name: value for name, value in NO_TELEMETRY.items() if name not in outer}
    if options.import_paths:
        own = [outer["PYTHONPATH"]] if outer.get("PYTHONPATH") else []
        added["PYTHONPATH"] = os.pathsep.join([*options.import_paths, *own])
    added.update(resolve(entry_env, {**outer, **added}))
    level = _POPLAR_LEVELS[options.logging or "INFO"]
    for variable in _LEVEL_VARIABLES:
        # Without --logging, a level set by the user stays; the compile time requires INFO.
        if options.logging or not (variable in outer or variable in added):
            added[variable] = level
    if "TF_CPP_VMODULE" not in outer:
        # TensorFlow logs when it compiles only at this level; the compile time requires it.
        added.setdefault("TF_CPP_VMODULE", "poplar_compiler=1")
    if options.profile:
        given = added.get(_ENGINE_OPTIONS, outer.get(_ENGINE_OPTIONS, ""))
        added[_ENGINE_OPTIONS] = _with_options(given, _PROFILE_OPTIONS)
    return added


def unexpanded(
    added: Mapping[str, str], entry_env: Mapping[str, str], options: CommandOptions
) -> dict[str, str]:
    """Returns the additions with the entry's variables as the entry has them, for records."""
    changed = {_ENGINE_OPTIONS} if options.profile else set()
    changed |= set(_LEVEL_VARIABLES) if options.logging else set()
    return {name: value if name in changed else entry_env.get(name, value) for name, value in added.items()}


def with_auto_report(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Returns the additions of a profiled command with the folder for Poplar's report."""
    report = {"autoReport.directory": str(folder)}
    return {**env, _ENGINE_OPTIONS: _with_options(env[_ENGINE_OPTIONS], report)}


def not_profilable(env: Mapping[str, str]) -> str | None:
    """Returns why the additions of a profiled command cannot hold the options of the profile, or None."""
    if _parsed(given := env[_ENGINE_OPTIONS]) is not None:
        return None
    return f"--profile: {_ENGINE_OPTIONS} is not a mapping in JSON, to which options can be added: {given!r}"


def resolve(entry_env: Mapping[str, str], outer: Mapping[str, str]) -> dict[str, str]:
    """Resolves the entry's variables: `$NAME` is the entry's own or else the outer variable.

    A self-reference means the outer variable, so that `PATH: $PATH:/opt/bin` works.
    """

    def value_of(name: str, being_resolved: tuple[str, ...]) -> str | None:
        if name in entry_env and name not in being_resolved:
            return substitute(entry_env[name], (*being_resolved, name))
        return outer.get(name)

    def substitute(text: str, being_resolved: tuple[str, ...]) -> str:
        def replacement(match: re.Match[str]) -> str:
            value = value_of(match[1] or match[2], being_resolved)
            return match[0] if value is None else value

        return _VARIABLE.sub(replacement, text)

    return {name: substitute(text, (name,)) for name, text in entry_env.items()}


def uses_variable(name: str, text: str) -> bool:
    """Whether the text contains `$name` or `${name}`."""
    return "$" in text and any(name in (match[1], match[2]) for match in _VARIABLE.finditer(text))


def _with_options(engine_options: str, more: Mapping[str, str]) -> str:
    options = _parsed(engine_options)
    return engine_options if options is None else json.dumps({**options, **more})


def _parsed(engine_options: str) -> dict[str, Any] | None:
    try:
        options = json.loads(engine_options) if engine_options.strip() else {}
    except (ValueError, RecursionError):
        return None
    return options if isinstance(options, dict) else None
