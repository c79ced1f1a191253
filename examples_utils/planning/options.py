"""The options of a run, as one value that is stored with its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

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

        Raises KeyError or TypeError if the file contains something else.
        """
        given = {
            field.name: _tuples(stored[field.name]) for field in fields(RunOptions) if field.name in stored
        }
        given["selection"] = Selection(**{key: _tuples(value) for key, value in stored["selection"].items()})
        command = {key: _tuples(value) for key, value in stored["command"].items()}
        if "virtual_environment" in command:  # as it was called up to 0.2
            command["python"] = command.pop("virtual_environment")
            command["requirements_file"] = stored.get("requirements_file")
        given["command"] = CommandOptions(**command)
        return RunOptions(**given)


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
