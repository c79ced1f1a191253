"""The environment of the tests: not that of the program that started them."""

from __future__ import annotations

import os
import sys

SET_BY_STARTERS = (
    *("MAKE", "MFLAGS"),  # make, also for `make test`: a make inside it would print and behave differently
    "GIT_",  # a git hook: git inside it would work on that repository
    *("PYTEST_ADDOPTS", "PYTEST_PLUGINS"),
    "PYTHONDONTWRITEBYTECODE",  # a container: each process of the runner would compile it, in two thirds of its time
    *("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR"),  # a terminal, or a CI service
    *("RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "TORCHELASTIC", "OMPI_", "PMIX_", "SLURM_", "POPDIST_"),
)
"""Beginnings of the names of variables with which a program that starts another one changes what it does."""

KEPT = ("GIT_SSL_",)
"""How git reaches the network from this machine."""


def leave_surroundings() -> None:
    """Removes these variables, which all processes of the tests would inherit."""
    for name in list(os.environ):
        if name.startswith(SET_BY_STARTERS) and not name.startswith(KEPT):
            del os.environ[name]
    sys.dont_write_bytecode = False
