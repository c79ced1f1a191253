"""The options for the Python that commands run with, and for what is installed there."""

from __future__ import annotations

from examples_utils.arguments.types import Group


def add_python(group: Group) -> None:
    """Adds `--python`, `--prepare` and `--prepare-venv`."""
    group.add_argument(
        "--python",
        metavar="PATH",
        help="run the commands with this interpreter, or with that of this environment's folder; nothing of the "
        "runner's own is on their path (default: the activated environment, else the runner's own)",
    )
    group.add_argument(
        "--prepare",
        action="store_true",
        help="do what entries ask for before they are timed: requirements_path, required_apt_packages_path, "
        "pre_run_commands; never in the runner's own environment",
    )
    group.add_argument(
        "--prepare-venv",
        metavar="DIR",
        help="the virtual environment that --prepare makes or reuses (default: LOG_DIR-venv, only where the commands "
        "would run in the runner's own)",
    )
