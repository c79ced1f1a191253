"""The options of a run, as one value that is stored with its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from examples_utils.console import LEVELS

_Options = TypeVar("_Options")
_MOST_REPETITIONS = 100_000

ORIGINAL_CSV = "examples-utils"
CSV_FORMATS = ("full", ORIGINAL_CSV)


@dataclass(frozen=True)
class Selection:
    """Selects variants of specs. If `strict`, a duplicate key in a spec is an error."""

    specs: tuple[str, ...] = ("benchmarks.yml",)
    benchmarks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    include_convergence: bool = False
    strict: bool = False


@dataclass(frozen=True)
class CommandOptions:
    """Options that change the commands of a spec or their environment.

    `python` is an interpreter, or the folder of an environment, to run them with. `import_paths` precede the paths
    from which Python commands import. `prepare` does what entries ask for before they are timed: in the environment
    `prepare_venv`, if that is given, and else in that of the commands; but never in the runner's own, instead of which
    `venv_beside_log` is made.
    """

    allow_wandb: bool = False
    compile_only: bool = False
    profile: bool = False
    logging: str | None = None
    timeout_s: float | None = None
    python: str | None = None
    import_paths: tuple[str, ...] = ()
    prepare: bool = False
    prepare_venv: str | None = None
    venv_beside_log: str | None = None
    requirements_file: str | None = None


@dataclass(frozen=True)
class RunOptions:
    """All options of a run."""

    selection: Selection = Selection()
    command: CommandOptions = CommandOptions()
    additional_metrics: bool = False
    csv_metrics: tuple[str, ...] = ()
    csv_format: str = CSV_FORMATS[0]
    csv_raw: bool = False
    custom_metrics_files: tuple[str, ...] = ()
    stop_on_error: bool = False
    quiet: bool = False
    progress_trace_period_s: float | None = None
    gc_monitor: bool = False
    no_code_sync: bool = False
    remove_dirs_after: bool = False
    repeat: int = 1
    canary: bool = False
    shuffle: int | None = None
    keep_secrets: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, for the run's own file."""
        return asdict(self)

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> RunOptions:
        """The inverse of `as_json`, also for a run that lacks newer options.

        Raises KeyError, TypeError, ValueError or AttributeError if the file contains something else.
        """
        selection = _of_fields(Selection, stored["selection"])
        given = dict(stored["command"])
        if "virtual_environment" in given:  # as it was called up to 0.2
            given["python"] = given.pop("virtual_environment")
            given["requirements_file"] = stored.get("requirements_file")
        command = _of_fields(CommandOptions, given)
        own = {key: value for key, value in stored.items() if key not in ("selection", "command")}
        options = _of_fields(RunOptions, own)
        if not 1 <= options.repeat <= _MOST_REPETITIONS or command.logging not in (None, *LEVELS):
            raise ValueError("repeat or logging is out of range")
        return replace(options, selection=selection, command=command)


def _of_fields(kind: type[_Options], stored: Mapping[str, Any]) -> _Options:
    """Creates one of these classes from its fields, and checks their types."""
    hints = get_type_hints(kind)
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in hints
    }
    for name, value in given.items():
        if not _is_of(value, hints[name]):
            raise TypeError(f"{name}: {value!r}")
    return kind(**given)


def _is_of(value: Any, hint: Any) -> bool:
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(word, str) for word in value)
    if alternatives := get_args(hint):
        return any(_is_of(value, alternative) for alternative in alternatives)
    return type(value) is hint or (hint is float and type(value) is int)
