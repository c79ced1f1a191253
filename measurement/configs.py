"""Reads the named configurations of configs.yml; every error names the line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from measurement.options import BY_KEY, Option

DEVICE_KINDS = ("ipu", "cpu", "cuda")

SELECT_THE_OVERRIDES = ("backend", "device")
"""Options that determine whose overrides apply."""


class ConfigError(ValueError):
    """An unusable configuration; the message names the file, the line and the remedy."""


@dataclass(frozen=True)
class Config:
    """One named configuration: values for every device, and overrides for each kind of device."""

    name: str
    values: Mapping[str, object]
    overrides: Mapping[str, Mapping[str, object]]

    def for_device(self, kind: str) -> dict[str, object]:
        """The values that apply to devices of this kind (`ipu`, `cpu`, `cuda`)."""
        return {**self.values, **self.overrides.get(kind, {})}


def read_config(path: Path, name: str) -> Config:
    """The configuration `name` in the file at `path`.

    Top-level names that contain `options` are shared blocks, not configurations.
    Raises `ConfigError` if the file, the name, a key or a value is wrong.
    """
    entries = _mapping(_document(path), path, "the file")
    names = [key for key in entries if "options" not in key]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigError(
            f"--config {name}: no such configuration in {path}{meant} (there are: {', '.join(names)})"
        )
    return _config(path, name, entries[name][1])


def _document(path: Path) -> tuple[yaml.SafeLoader, yaml.Node]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    if node is None:
        raise ConfigError(f"{path}: is empty: expected named configurations")
    return loader, node


_Located = tuple[yaml.SafeLoader, yaml.Node]


def _mapping(located: _Located, path: Path, what: str) -> dict[str, tuple[int, _Located]]:
    """`{key: (line, value)}` of a mapping node, with merges resolved; a duplicate key is an error."""
    loader, node = located
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: {what} must be a mapping of keys to values")
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
            raise ConfigError(
                f"{path}:{line}: duplicate key {key.value} in {what} (first in line {seen[key.value]})"
            )
        seen[key.value] = line
    try:
        loader.flatten_mapping(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(
            f"{path}:{node.start_mark.line + 1}: bad merge (<<) in {what}: {error.problem}"
        ) from None
    return {str(key.value): (key.start_mark.line + 1, (loader, value)) for key, value in node.value}


def _config(path: Path, name: str, located: _Located) -> Config:
    values: dict[str, object] = {}
    overrides: dict[str, Mapping[str, object]] = {}
    for key, (line, value) in _mapping(located, path, name).items():
        if key in DEVICE_KINDS:
            inner = _mapping(value, path, f"{name}.{key}")
            overrides[key] = {k: _override(path, at, key, k, v) for k, (at, v) in inner.items()}
        else:
            values[key] = _value(path, line, key, value)
    return Config(name, values, overrides)


def _override(path: Path, line: int, device: str, key: str, located: _Located) -> object:
    if key in SELECT_THE_OVERRIDES:
        raise ConfigError(
            f"{path}:{line}: {key} is not allowed under {device}, as overrides apply only after backend and device are "
            f"selected: give it at the top level of the configuration, or {BY_KEY[key].flag} on the command line"
        )
    return _value(path, line, key, located)


def _value(path: Path, line: int, key: str, located: _Located) -> object:
    option = BY_KEY.get(key)
    if option is None:
        raise ConfigError(f"{path}:{line}: unknown key {key}{_near_keys(key)}")
    if not option.in_config:
        raise ConfigError(
            f"{path}:{line}: {key} is not allowed in a configuration, which defines only what is measured: "
            f"give {option.flag} on the command line"
        )
    loader, node = located
    raw = loader.construct_object(node, deep=True)
    try:
        return _parse(option, raw)
    except ValueError as error:
        raise ConfigError(f"{path}:{line}: {key}: {error}") from None


def _near_keys(key: str) -> str:
    keys = [option.key for option in BY_KEY.values() if option.in_config] + list(DEVICE_KINDS)
    near = difflib.get_close_matches(key, keys, n=3, cutoff=0.5)
    if near:
        return f": did you mean {' or '.join(near)}?"
    return f" (there are: {', '.join(keys)})"


def _parse(option: Option, raw: object) -> object:
    if option.switch:
        if not isinstance(raw, bool):
            raise ValueError(f"{raw!r} is not true or false")
        return raw
    if option.many:
        items = raw if isinstance(raw, list) else str(raw).split()
        return [option.parse(str(item)) for item in items]
    if isinstance(raw, (bool, dict, list)) or raw is None:
        raise ValueError(f"{raw!r} is not a single value")
    text = str(raw)
    if option.choices and text not in option.choices:
        raise ValueError(f"{text!r} is not one of {', '.join(option.choices)}")
    return option.parse(text)
