"""Who may import whom: the arrows between the folders, and no others."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINES = {"torch", "timm", "onnxruntime", "openvino", "poptorch", "popdist", "horovod"}
OURS = {
    "models",
    "datasets",
    "backends",
    "measurement",
    "driver",
    "serving",
    "benchmark_parsers",
    "examples_utils",
}
ALLOWED = {
    "measurement": {"measurement"},
    "models": {"models"},
    "datasets": {"datasets"},
    "backends": {"backends", "measurement"},
    "driver": {"driver", "measurement", "models", "datasets", "backends"},
    "serving": {"serving", "driver", "measurement", "models", "datasets", "backends"},
    "benchmark_parsers": {"benchmark_parsers"},
    "examples_utils": {"examples_utils", "benchmark_parsers"},
}
FROM_MEASUREMENT = {"measurement.settings", "measurement.machine"}  # what backends may know of measuring


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_folders_import_only_along_the_arrows(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        foreign = {name for name in imported(path) if name.split(".")[0] in OURS - ALLOWED[folder]}
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_backends_know_of_measuring_only_settings_and_machine() -> None:
    for path in (ROOT / "backends").glob("*.py"):
        used = {name for name in imported(path) if name.split(".")[0] == "measurement"}
        assert used <= FROM_MEASUREMENT, f"{path.name} imports {used - FROM_MEASUREMENT}"


@pytest.mark.parametrize(
    "module", ["examples_utils.cli", "benchmark_parsers", "driver.command", "models", "measurement.options"]
)
def test_nothing_loads_an_engine_before_it_is_chosen(module: str) -> None:
    code = f"import sys, {module}; print({ENGINES} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
