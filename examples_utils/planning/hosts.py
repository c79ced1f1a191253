"""Copies code, environment and SDK to the other hosts of a `poprun` command."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples_utils.planning.command import Command
from examples_utils.planning.interpreter_variables import is_environment
from examples_utils.planning.plan import Plan, PlannedVariant
from examples_utils.problems import RequestError

_HOST_OPTIONS = ("--host", "--hosts", "-H")
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15")
_TIMEOUT_S = 60
_MARKER = ".copied_by_examples_utils"
_RSYNC = ("rsync", "--archive", "--relative", "--delete", f"--exclude={_MARKER}")
# Shell commands for another host; $1 is the folder, $2 the marker, which only a folder that did not exist gets.
_MARK = '[ -e "$1" ] || { mkdir -p -- "$1" && : > "$1/$2"; }'
_REMOVE = '[ -f "$1/$2" ] && rm -rf -- "$1"'


def other_hosts(command: Command) -> list[str]:
    """Returns the hosts, except this one, that a poprun in the command names."""
    words = command.argv
    if not any(Path(word).name == "poprun" for word in words):
        return []
    hosts: list[str] = []
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _HOST_OPTIONS:
            named = value if equals else words[index + 1] if index + 1 < len(words) else ""
            hosts += [host.split(":")[0] for host in named.split(",") if host]
    here = {"localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()}
    return [host for host in dict.fromkeys(hosts) if host not in here and not host.startswith(("$", "-"))]


def must_copy(plan: Plan, remove_after: bool, no_code_sync: bool) -> bool:
    """Whether the plan requires copying code. Raises RequestError if that is requested but impossible."""
    distributed = any(
        other_hosts(planned.command)
        for planned in plan.variants
        if not (planned.skip_reason or planned.failure_reason)
    )
    if remove_after and no_code_sync:
        raise RequestError(
            "--remove-dirs-after: with --no-code-sync nothing is copied, so nothing is removed"
        )
    if remove_after and not distributed:
        raise RequestError("--remove-dirs-after: no selected command starts on other hosts (poprun --host)")
    missing = [program for program in ("rsync", "ssh") if not shutil.which(program)]
    if distributed and not no_code_sync and missing:
        raise RequestError(
            f"a command starts on other hosts, to which its folder is copied with rsync and ssh, but there is no "
            f"{' and no '.join(missing)}: install it, or pass --no-code-sync if the hosts share their folders"
        )
    return distributed and not no_code_sync


@dataclass
class Hosts:
    """Copies to hosts that do not share this machine's file system, and records what to remove again.

    `environment` is the folder of the Python that commands run with.
    """

    environment: Path
    _shared: dict[tuple[str, str], bool] = field(default_factory=dict)
    _copied: list[tuple[str, str]] = field(default_factory=list)

    def copies(self, planned: PlannedVariant) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yields host and rsync command for every folder that the variant needs there."""
        for host in other_hosts(planned.command):
            for folder in _needed_folders(planned, self.environment):
                if not self._is_shared(host, folder):
                    self._copied.append((host, str(folder)))
                    _ssh(host, "sh", "-c", _MARK, "sh", str(folder), _MARKER)
                    yield host, (*_RSYNC, "--", f"{folder}/", f"{host}:/")

    def remove(self) -> list[str]:
        """Removes copied folders from the other hosts, if a copy made them. Returns a message for each failure."""
        complaints = []
        for host, folder in dict.fromkeys(self._copied):
            if not _ssh(host, "sh", "-c", _REMOVE, "sh", folder, _MARKER):
                complaints.append(
                    f"{host}: {folder} could not be removed, or was there before the first copy (no {_MARKER} in it)"
                )
        return complaints

    def _is_shared(self, host: str, folder: Path) -> bool:
        # Copying onto, and above all removing, a folder that the host mounts over the network would affect this
        # machine's own files.
        key = (host, str(folder))
        if key not in self._shared:
            probe = folder / f".shared_probe_{secrets.token_hex(8)}"
            probe.touch()
            try:
                self._shared[key] = _ssh(host, "test", "-e", str(probe))
            finally:
                probe.unlink()
        return self._shared[key]


def _needed_folders(planned: PlannedVariant, environment: Path) -> list[Path]:
    folders = [planned.benchmark.folder, planned.benchmark.spec_folder]
    if is_environment(environment):
        folders.append(environment)
    if sdk := os.environ.get("POPLAR_SDK_ENABLED"):
        folders.append(Path(sdk))
    return list(dict.fromkeys(folder.absolute() for folder in folders if folder.is_dir()))


def _ssh(host: str, *words: str) -> bool:
    # sshd joins the words with blanks, and a shell splits the text again.
    command: Sequence[str] = (*_SSH, "--", host, shlex.join(words))
    try:
        return subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
