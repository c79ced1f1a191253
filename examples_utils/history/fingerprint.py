"""Digests of what runs share, the identity of machines, and the facts in which two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from examples_utils.run_model import Run

_SHOWN = 4  # maximum keys of a fingerprint or of settings in a message
# Updates change these on the same machine: they can cause a change, and do not make another machine.
_SOFTWARE = ("kernel", "microcode", "drivers")
# Names, and the memory that the kernel left, which the installed memory or a limit decides.
_NOT_COMPARED = ("hostname", "cpu_name", "memory_bytes")
_SHOWN_FIRST = ("cpu_flags", "cpu", "cores")
_GIB = 2**30


def canonical(value: Any) -> str:
    """Returns JSON that is the same for equal values. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str) -> str:
    """Returns 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def machine_key(machine: Mapping[str, Any]) -> str:
    """Returns the same key for machines with comparable metrics: all facts of their hardware agree."""
    return digest_of(canonical(hardware_of(machine)))


def hardware_of(machine: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the facts of a fingerprint that decide whether metrics are comparable.

    Older fingerprints have only the memory that the kernel left: whole GiB do not depend on its version.
    """
    facts = {name: machine[name] for name in _SHOWN_FIRST if name in machine}
    facts |= {name: fact for name, fact in machine.items() if name not in (*_NOT_COMPARED, *_SOFTWARE)}
    usable = machine.get("memory_bytes")
    if "memory_installed_bytes" not in facts and usable is not None:
        is_number = isinstance(usable, int) and usable > _GIB
        facts["memory_installed_bytes"] = round(usable / _GIB) * _GIB if is_number else usable
    return facts


def same_machine(one: Run, other: Run) -> bool:
    """Whether metrics of both runs are comparable: their hardware agrees, or their machines were joined."""
    if one.machine == other.machine:
        return True
    first, second = machine_key(one.machine), machine_key(other.machine)
    return first == second or first in other.joined_machines or second in one.joined_machines


def may_be_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two fingerprints agree in all facts of the hardware that both know, and know some."""
    first, second = hardware_of(one), hardware_of(other)
    known = [name for name in first.keys() & second.keys() if None not in (first[name], second[name])]
    return bool(known) and all(first[name] == second[name] for name in known)


def differing_hardware(
    base: Mapping[str, Any], new: Mapping[str, Any], then: str = "in the base", now: str = "now"
) -> str:
    """Returns the facts that make two machines different ones; empty if none."""
    return differing_facts(hardware_of(base), hardware_of(new), then, now)


def differing_software(
    base: Mapping[str, Any], new: Mapping[str, Any], then: str = "in the base", now: str = "now"
) -> str:
    """Returns the versions of kernel, microcode and drivers that differ and are known on both sides; empty if none."""
    first, second = _software_of(base), _software_of(new)
    both = first.keys() & second.keys()
    return differing_facts(
        {name: fact for name, fact in first.items() if name in both},
        {name: fact for name, fact in second.items() if name in both},
        then,
        now,
    )


def _software_of(machine: Mapping[str, Any]) -> dict[str, Any]:
    drivers = machine.get("drivers")
    versions = {name: machine.get(name) for name in _SOFTWARE if name != "drivers"}
    if isinstance(drivers, Mapping):
        versions |= {f"{name} driver": version for name, version in drivers.items()}
    return {name: version for name, version in versions.items() if version is not None}


def differing_facts(
    base: Mapping[str, Any], new: Mapping[str, Any], then: str = "in the base", now: str = "now"
) -> str:
    """Returns the keys on which two fingerprints or settings disagree, and how; empty if none."""
    keys = [key for key in dict.fromkeys((*base, *new)) if base.get(key) != new.get(key)]
    texts = [_difference(key, base.get(key), new.get(key), then, now) for key in keys[:_SHOWN]]
    if len(keys) > _SHOWN:
        texts.append(f"and {len(keys) - _SHOWN} more")
    return "; ".join(texts)


def _difference(key: str, base: object, new: object, then: str, now: str) -> str:
    """Of lists, such as the CPU's flags, only what one of them lacks; nothing of a list that one side does not know."""
    for one, other, when in ((base, new, then), (new, base, now)):
        if one is None and isinstance(other, list):
            return f"{key} unknown {when}"
    if isinstance(base, list) and isinstance(new, list):
        gone, come = [one for one in base if one not in new], [one for one in new if one not in base]
        if gone or come:
            parts = [
                f"{', '.join(map(str, items))} only {when}"
                for items, when in ((gone, then), (come, now))
                if items
            ]
            return f"{key} {', '.join(parts)}"
    return f"{key} {shown_fact(base)} {then}, {shown_fact(new)} {now}"


def shown_fact(value: object) -> str:
    """Returns a fact for a message."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
