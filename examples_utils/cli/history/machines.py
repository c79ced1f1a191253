"""`history machines`: lists, names, joins and separates machines."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

from examples_utils.history.database.machines import Machine
from examples_utils.history.fingerprint import shown_fact
from examples_utils.history.store import History
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.results.tables import plain_table

_HEADER = ("key", "name", "hosts", "CPU", "cores", "memory", "runs", "first run", "last run")
_KEY_DIGITS = 10
_SHORTEST_KEY = 4


def change_machines(
    history: History, given: Sequence[str], name: str | None, *, join: bool, separate: bool
) -> list[str]:
    """Names, joins or separates the machines that `given` refers to, and returns all their keys.

    Raises:
        RequestError: Another number of machines is needed, one is unknown or ambiguous, or the name is taken.
    """
    known = history.machines()
    found = {machine.key: machine for machine in (_machine(reference, known) for reference in given)}
    chosen = list(found)
    if name is not None:
        name = " ".join(name.split())
        _refuse_number(chosen, "--name", 1)
        _refuse_taken(name, known, chosen[0])
        history.name_machine(chosen[0], name or None)
    elif join:
        _refuse_number(chosen, "--join", 2)
        history.join_machines(chosen)
    elif separate:
        _refuse_number(chosen, "--separate", 1)
        history.separate_machine(chosen[0])
    return [key for machine in found.values() for key in (machine.key, *machine.keys)]


def machine_listing(history: History, keys: Collection[str], form: str) -> str:
    """Returns all machines, or those that have one of the keys, as `table` or `json`."""
    shown = [
        machine
        for machine in history.machines()
        if not keys or not {machine.key, *machine.keys}.isdisjoint(keys)
    ]
    if form == "json":
        return json.dumps([asdict(machine) for machine in shown], indent=2)
    return plain_table(_HEADER, [_row(machine) for machine in shown], numeric=(4, 5, 6))


def _machine(reference: str, known: Iterable[Machine]) -> Machine:
    """Returns the machine of a name, of the beginning of a key, or of a host name that only one has."""
    by_name = [one for one in known if one.name == reference]
    by_key = [
        one
        for one in known
        if len(reference) >= _SHORTEST_KEY and any(key.startswith(reference) for key in (one.key, *one.keys))
    ]
    by_host = [one for one in known if reference in one.hostnames]
    found = by_name or by_key or by_host
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(one.key[:_KEY_DIGITS] for one in found)
        raise RequestError(f"{reference}: {len(found)} machines match ({keys}); name one by its key")
    names = [name for one in known for name in (one.name, *one.hostnames) if name]
    raise RequestError(f"{reference}: the history has no such machine; {did_you_mean(reference, names)}")


def _refuse_number(chosen: Sequence[str], option: str, wanted: int) -> None:
    enough = len(chosen) >= 2 if wanted == 2 else len(chosen) == 1
    if not enough:
        expected = "two or more different machines" if wanted == 2 else "one machine"
        raise RequestError(
            f"{option}: takes {expected}, and {len(chosen)} {'is' if len(chosen) == 1 else 'are'} named; "
            "history machines lists them"
        )


def _refuse_taken(name: str, known: Iterable[Machine], key: str) -> None:
    if name and (other := next((one for one in known if one.name == name and one.key != key), None)):
        raise RequestError(
            f"--name {name}: is the name of another machine ({other.key[:_KEY_DIGITS]}); "
            "choose another one, or --join both"
        )


def _row(machine: Machine) -> tuple[str, ...]:
    facts = machine.facts
    memory = (
        facts.get("memory_limit_bytes") or facts.get("memory_installed_bytes") or facts.get("memory_bytes")
    )
    return (
        machine.key[:_KEY_DIGITS],
        machine.name or "-",
        ", ".join(machine.hostnames) or "-",
        shown_fact(facts.get("cpu_name") or facts.get("cpu")),
        shown_fact(facts.get("cores")),
        f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else "unknown",
        str(machine.runs),
        machine.first_started_utc[:10],
        machine.last_started_utc[:10],
    )
