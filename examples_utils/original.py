"""What to use instead of the parts of Graphcore's `examples_utils` that this runner does not have."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_INSTALL = (
    "install Graphcore's examples-utils in the application's own environment, and run its benchmarks with "
    "--python DIR (see docs/drop_in.md)"
)
COMMANDS = {
    "load_lib_build": "builds the application's C++ operators: run it in the application's environment, where "
    "Graphcore's examples-utils is installed",
    "test_copyright": "checks licence headers: use pre-commit with a hook such as insert-license, or reuse lint",
    "paperspace": "checks Paperspace's datasets: run it in an environment with Graphcore's examples-utils",
    "platform_assessment": "clones repositories and benchmarks them: clone each one, and run `benchmark --spec FILE "
    "--prepare` in its checkout",
}
"""The original's commands: what each does, and what to use instead."""

KEYS = {
    "repository": "clone it, and run its spec there: git clone URL && cd FOLDER && python3 -m examples_utils benchmark",
    "required_apt_packages": "install them with apt-get, or list them in a file, name it as "
    "required_apt_packages_path, and pass --prepare",
}
"""The keys that only `platform_assessment` reads, and what to do instead."""

_MODULES = {
    *(
        "api_tools",
        "benchmarks",
        "command_logger",
        "custom_ops",
        "load_lib",
        "load_lib_utils",
        "notebook_logging",
    ),
    *(
        "paperspace_utils",
        "parsing",
        "parse_yaml_config",
        "platform_assessment",
        "precommit",
        "sdk_version_hash",
    ),
    "testing",
}


class OriginalModules(MetaPathFinder):
    """Explains an import of a part of the original; asked only for modules that no other finder has."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds nothing. Raises ImportError for the modules and names of the original."""
        package, _, rest = fullname.partition(".")
        if package == __package__ and rest.split(".")[0] in _MODULES:
            raise ImportError(
                f"{fullname} is part of Graphcore's examples-utils, and not of this runner, which has the same name: "
                + _INSTALL,
                name=fullname,
            )
        return None


def explain_imports() -> None:
    """From now on, imports of the original's modules explain themselves."""
    if not any(isinstance(finder, OriginalModules) for finder in sys.meta_path):
        sys.meta_path.append(OriginalModules())


def command_remedy(name: str) -> str | None:
    """Returns what to use instead of a command of the original, or None if the original has none of this name."""
    remedy = COMMANDS.get(name)
    return f"{name}: is not part of this runner; the original {remedy}" if remedy else None
