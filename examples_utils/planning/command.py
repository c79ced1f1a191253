"""A variant's command: its arguments, folder, environment and timeout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from examples_utils.planning.environment import with_auto_report
from examples_utils.planning.options import CommandOptions
from examples_utils.planning.wandb_options import without_wandb, without_wandb_in_shell
from examples_utils.spec.command_line import join_words
from examples_utils.spec.command_words import command_words, expand
from examples_utils.spec.loader import Benchmark
from examples_utils.spec.placeholders import fill
from examples_utils.spec.variants import Variant

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_PYTHON_OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_VIPU_OPTIONS = ("--vipu-partition", "--vipu-server-host", "--vipu-server-port")
_NEEDS_NO_QUOTES = re.compile(r"[\w@%+=:,./${}-]+")
_SPECIAL_IN_QUOTES, _BACKSLASHED = re.compile(r'["`\\]|\$(?![\w{])'), r"\\\g<0>"
_QUOTED = "\ufdd0"  # Unicode reserves it for such marks
_NAME_BEFORE_MORE = re.compile(rf"\$(\w+){_QUOTED}(?=\w)")  # as in "$NAME"more
_MPI_COUNTS = ("-np", "--np", "-n")


@dataclass(frozen=True)
class Command:
    """A command to execute. `env` contains additions to the runner's environment, of which `removed` are left out.

    `text` and `env_text` are for people and records: variables are in them as the entry has them, by name, since
    their values may be secret.
    """

    argv: tuple[str, ...]
    text: str
    folder: Path
    env: tuple[tuple[str, str], ...]
    timeout_s: float | None
    mpi_instances: int = 1
    removed: tuple[str, ...] = ()
    env_text: tuple[tuple[str, str], ...] = ()

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Returns the whole environment of the command; `outer` is the runner's."""
        return {
            **{name: value for name, value in outer.items() if name not in self.removed},
            **dict(self.env),
        }


def build_command(
    benchmark: Benchmark,
    variant: Variant,
    options: CommandOptions,
    environment: Mapping[str, str],
    env: Mapping[str, str],
    env_text: Mapping[str, str] | None = None,
) -> Command:
    """Builds the command of one variant with the options of the run.

    `environment` is the runner's, `env` what is added to it (see `environment.additions`), and
    `env_text` the same as the entry has it (see `environment.unexpanded`).
    """
    timeouts = [t for t in (benchmark.timeout_s, options.timeout_s) if t is not None]
    timeout_s = min(timeouts, default=None)
    params = dict(variant.params)
    kept_env = tuple((env if env_text is None else env_text).items())
    if benchmark.notebook:
        file, folder = (
            benchmark.folder / expand(fill(path, params), {**environment, **env})
            for path in (benchmark.notebook.file, benchmark.notebook.working_directory)
        )
        argv = _notebook_words(file, benchmark.notebook.timeout_s)
        return Command(argv, join_words(argv), folder, tuple(env.items()), timeout_s, env_text=kept_env)
    text = fill(benchmark.cmd or "", params)
    keep_wandb = options.allow_wandb or benchmark.allow_wandb
    if benchmark.shell:
        text = text.strip() if keep_wandb else without_wandb_in_shell(text)
        shell = ("/bin/sh", "-c", text)
        return Command(shell, text, benchmark.folder, tuple(env.items()), timeout_s, env_text=kept_env)
    words = _adapted(command_words(text, {**environment, **env} if "$" in text else None), benchmark, options)
    shown = join_words(words)
    if "$" in text:
        shown = " ".join(map(_as_written, _adapted(command_words(text, mark=_QUOTED), benchmark, options)))
    return Command(
        tuple(words),
        shown,
        benchmark.folder,
        tuple(env.items()),
        timeout_s,
        mpi_instances(words),
        env_text=kept_env,
    )


def _adapted(words: list[str], benchmark: Benchmark, options: CommandOptions) -> list[str]:
    """Returns the words of an entry's command as the options of the run change them."""
    words = words if options.allow_wandb or benchmark.allow_wandb else without_wandb(words)
    words = _with_absolute_script(words, benchmark.folder)
    if options.compile_only:
        words = [*_without_options(words, _VIPU_OPTIONS), "--compile-only"]
    return [*words, "--profile"] if options.profile and _runs_our_driver(words) else words


def _as_written(word: str) -> str:
    """Quotes a word that may contain variables so that a shell expands them, too, and splits the same ones."""
    if "$" not in word:
        return join_words([word])
    given, word = word, _NAME_BEFORE_MORE.sub(r"${\1}", word).replace(_QUOTED, "")
    return (
        word
        if given == word and _NEEDS_NO_QUOTES.fullmatch(word)
        else f'"{_SPECIAL_IN_QUOTES.sub(_BACKSLASHED, word)}"'
    )


def with_report_folder(command: Command, folder: Path) -> Command:
    """Returns a profiled command with the folder for its report, Poplar's and that of our own driver."""
    words = command.argv
    if "--profile" in words and _runs_our_driver(words) and not _has_option(words, "--profile-path"):
        words = (*words, "--profile-path", str(folder))
    added = join_words(words[len(command.argv) :])
    env, env_text = (
        tuple(with_auto_report(dict(variables), folder).items())
        for variables in (command.env, command.env_text)
    )
    return replace(command, argv=words, text=f"{command.text} {added}".rstrip(), env=env, env_text=env_text)


def without_installation(command: Command) -> Command:
    """Returns the command of a notebook, which then fails if the notebook's cells install packages."""
    argv = (*command.argv[:2], "--refuse-installation", *command.argv[2:])
    return replace(command, argv=argv, text=join_words(argv))


def mpi_instances(words: Sequence[str]) -> int:
    """Returns the number of processes that an `mpirun` in the command starts; 1 for anything else, including poprun."""
    launcher = next((i for i, word in enumerate(words) if _program(word) == "mpirun"), None)
    if launcher is None:
        return 1
    for index in range(launcher + 1, len(words)):
        option, equals, value = words[index].partition("=")
        if _is_python(words[index]):
            break
        if option in _MPI_COUNTS:
            count = value if equals else words[index + 1] if index + 1 < len(words) else ""
            return max(int(count), 1) if count.isdecimal() else 1
    return 1


def _notebook_words(notebook: Path, timeout_s: float | None) -> tuple[str, ...]:
    # Executed as a file, so that it works in folders from which this package cannot be imported.
    program = Path(__file__).parents[1] / "execution" / "notebook.py"
    words = ["python3", str(program), str(notebook)]
    return (*words, "--timeout", str(timeout_s)) if timeout_s else tuple(words)


def _without_options(words: Sequence[str], options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip_value = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip_value:
            skip_value = False
        elif name in options:
            skip_value = not equals
        else:
            kept.append(word)
    return kept


def _with_absolute_script(words: Sequence[str], folder: Path) -> list[str]:
    """Replaces the script of a `python3` command with its absolute path; leaves `-m` and `-c` unchanged."""
    resolved = list(words)
    interpreter = next((i for i, word in enumerate(words) if _is_python(word)), None)
    index = len(words) if interpreter is None else interpreter + 1
    while index < len(words) and words[index].startswith("-") and words[index] not in ("-m", "-c", "-"):
        index += 2 if words[index] in _PYTHON_OPTIONS_WITH_VALUE else 1
    if index < len(words) and not words[index].startswith("-") and _is_file(folder / words[index]):
        resolved[index] = str((folder / words[index]).absolute())
    return resolved


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _runs_our_driver(words: Sequence[str]) -> bool:
    return any(_program(word) == "run_benchmark.py" for word in words)


def _has_option(words: Sequence[str], option: str) -> bool:
    return any(word.partition("=")[0] == option for word in words)


def _is_python(word: str) -> bool:
    return _PYTHON.fullmatch(_program(word)) is not None


def _program(word: str) -> str:
    return word.rpartition("/")[2]
