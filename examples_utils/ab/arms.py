"""The two arms of an A/B comparison: which code, in which environment, and what of it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from examples_utils.ab.dependencies import dependency_texts, import_paths, projects_within
from examples_utils.ab.environment import build_environment
from examples_utils.ab.git import WORKING_TREE, Commit, GitError, commit_of, described, has_changes
from examples_utils.ab.worktrees import Worktrees
from examples_utils.console import Console
from examples_utils.execution.request import Request, checked_request
from examples_utils.planning.application import application_of
from examples_utils.planning.interpreter import Interpreter, chosen_interpreter
from examples_utils.planning.options import CommandOptions, RunOptions
from examples_utils.problems import RequestError


@dataclass(frozen=True)
class Revision:
    """The revision that `flag` names. `commit` is checked out; with `in_place`, the working tree is used as it is."""

    flag: str
    reference: str
    commit: Commit
    in_place: bool = False
    changed: bool = False

    @property
    def title(self) -> str:
        """Its name in messages."""
        if self.in_place:
            return f"working tree ({self.commit}{', with changes' if self.changed else ''})"
        if self.commit.sha.startswith(self.reference):
            return str(self.commit)
        return f"{self.reference} ({self.commit})"


@dataclass(frozen=True)
class Arm:
    """A revision in a folder, ready to run. `request` is what runs of it."""

    revision: Revision
    checkout: Path
    request: Request


def revision_of(repository: Path, flag: str, reference: str) -> Revision:
    """Resolves a flag: a revision of git, or `.` for the working tree. Raises RequestError."""
    if reference != WORKING_TREE:
        return Revision(flag, reference, commit_of(repository, reference, flag))
    head = commit_of(repository, "HEAD", flag)
    return Revision(flag, reference, head, in_place=True, changed=has_changes(repository))


@dataclass(frozen=True)
class ArmPreparer:
    """Prepares revisions as arms. `options` name the specs by their paths in the user's checkout, `repository`."""

    repository: Path
    options: RunOptions
    trees: Worktrees
    log_folder: Path
    console: Console
    check_interruption: Callable[[], None]

    def arm(self, revision: Revision, name: str) -> Arm:
        """Returns the revision, checked out as `name` unless it is the working tree itself.

        Raises:
            RequestError: It cannot be checked out, lacks a spec or a benchmark, or its environment cannot be built.
            Interrupted: The run was asked to stop.
        """
        self.check_interruption()
        if revision.in_place:
            return self._arm(revision, self.repository, self.options)
        self.console.print(f"checking out {revision.title}")
        try:
            checkout = self.trees.add(name, revision.commit.sha)
        except GitError as error:
            raise RequestError(
                f"{revision.flag} {revision.reference}: cannot be checked out: {error}"
            ) from None
        return self._ready(revision, checkout)

    def moved(self, arm: Arm, commit_sha: str) -> Arm:
        """Returns the same arm with another commit checked out in place. Raises as `arm` does."""
        self.check_interruption()
        try:
            commit = described(self.repository, commit_sha)
            self.trees.move(arm.checkout, commit_sha)
        except GitError as error:
            raise RequestError(f"{commit_sha[:12]}: cannot be checked out: {error}") from None
        return self._ready(replace(arm.revision, reference=commit.sha[:12], commit=commit), arm.checkout)

    def again(self, arm: Arm) -> Arm:
        """Returns the same arm with the current options. Raises as `arm` does."""
        return self._ready(arm.revision, arm.checkout)

    def _ready(self, revision: Revision, checkout: Path) -> Arm:
        installed = distributions(path=list(self._python().import_path))
        projects = projects_within(self.repository, installed)
        options = replace(
            self.options,
            command=replace(self.options.command, import_paths=tuple(import_paths(checkout, projects))),
        )
        planned = self._arm(revision, checkout, options)
        files = _requirement_files(planned)
        texts = dependency_texts(checkout, files)
        if texts == dependency_texts(self.repository, files):
            return planned
        environment = self._environment(revision, checkout, texts, files)
        command = replace(options.command, python=str(environment))
        return self._arm(revision, checkout, replace(options, command=command))

    def _environment(
        self, revision: Revision, checkout: Path, texts: Mapping[str, str], requirement_files: Sequence[Path]
    ) -> Path:
        """Built once per set of dependency files; the project is installed from the folder."""
        key = sha256(repr((checkout.name, sorted(texts.items()))).encode()).hexdigest()[:8]
        environment = self.trees.folder / f"environment_{key}"
        if not environment.exists():
            called = f"{revision.flag} {revision.reference}"
            self.console.print(
                f"{called}: has other dependencies than this checkout: building an environment with them"
            )
            log = self.log_folder / "environments" / key
            build_environment(
                self._python(), checkout, requirement_files, environment, log, self.check_interruption, called
            )
        return environment

    def _arm(self, revision: Revision, checkout: Path, options: RunOptions) -> Arm:
        specs = tuple(
            str(checkout / Path(spec).relative_to(self.repository)) for spec in options.selection.specs
        )
        moved = replace(
            options,
            selection=replace(options.selection, specs=specs),
            command=self._with_own_venv(options.command, revision, checkout),
        )
        try:
            request = checked_request(moved, dict(os.environ))
        except RequestError as error:
            # The path of the temporary checkout means nothing to users, and is gone when they read this.
            message = str(error) if revision.in_place else str(error).replace(f"{checkout}/", "")
            raise RequestError(f"{revision.flag} {revision.reference}: {message}") from None
        reasons = [planned.skip_reason or planned.failure_reason for planned in request.plan.variants]
        if all(reasons):
            raise RequestError(f"{revision.flag} {revision.reference}: no benchmark can run: {reasons[0]}")
        return Arm(revision, checkout, request)

    def _python(self) -> Interpreter:
        return chosen_interpreter(self.options.command.python, os.environ)

    def _with_own_venv(self, command: CommandOptions, revision: Revision, checkout: Path) -> CommandOptions:
        """Returns the options with environments for `--prepare` that no other revision installs into."""
        name = "working-tree" if revision.in_place else checkout.name
        return replace(
            command,
            prepare_venv=command.prepare_venv and str(Path(command.prepare_venv, name)),
            venv_beside_log=str(self.log_folder / f"{name}-venv"),
        )


def _requirement_files(arm: Arm) -> Sequence[Path]:
    benchmarks = {planned.benchmark.place: planned.benchmark for planned in arm.request.plan.variants}
    files = {application_of(benchmark).requirements for benchmark in benchmarks.values()}
    return [Path(os.path.relpath(file, arm.checkout)) for file in sorted(filter(None, files))]
