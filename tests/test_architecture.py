"""Who may import whom: the arrows between the folders, and no others."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
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
# The rooms of the runner, the top floor first: a room imports only from the floors below it, and from itself.
FLOORS = (
    {"cli"},
    {"nightly", "ab", "doctor"},
    {"report"},
    {"comparison"},
    {"history"},
    {"execution"},
    {"results"},
    {"planning"},
    {"spec"},
    {"machine", "arguments", "redaction"},
    {"run_model", "problems", "console", "canary", "original"},
    {"control_characters"},
)
MOST_FILES_AT_THE_TOP, MOST_FILES_IN_A_FOLDER = 8, 16
FROM_MEASUREMENT = {"measurement.settings", "measurement.machine"}  # what backends may know of measuring


def modules(package: str) -> dict[str, Path]:
    """Every module of a package and of the packages in it, with its file."""
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, package
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


def imported(path: Path, *, at_run_time: bool = False) -> set[str]:
    """The modules, and the names in them, that a file imports anywhere in it."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    if at_run_time:
        tree = WithoutTypeChecking().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


class WithoutTypeChecking(ast.NodeTransformer):
    """Leaves out what only a type checker imports."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def room(module: str) -> str:
    """The room of one of the runner's modules: a folder, or a file of the ground floor; "" for any other file."""
    first = module.removeprefix("examples_utils").lstrip(".").partition(".")[0]
    is_folder = (ROOT / "examples_utils" / first).is_dir()
    return first if is_folder or first in FLOORS[-1] | FLOORS[-2] else ""


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_folders_import_only_along_the_arrows(folder: str) -> None:
    for path in modules(folder).values():
        foreign = {name for name in imported(path) if name.split(".")[0] in OURS - ALLOWED[folder]}
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_backends_know_of_measuring_only_settings_and_machine() -> None:
    for path in modules("backends").values():
        used = {".".join(name.split(".")[:2]) for name in imported(path) if name.startswith("measurement.")}
        assert used <= FROM_MEASUREMENT, f"{path.name} imports {used - FROM_MEASUREMENT}"


def test_cores_are_counted_by_the_modules_of_the_machine_alone() -> None:
    """Whoever counts cores itself ignores the CPU affinity, or the quota of a container."""
    counting = {
        module
        for folder in ALLOWED
        for module, path in modules(folder).items()
        if any(word in path.read_text() for word in ("cpu_count(", "sched_getaffinity("))
    }
    # Two of them count for other purposes: what a parent inherits, and the load of the whole machine.
    assert counting == {
        "measurement.machine",
        "measurement.replicas",
        "examples_utils.machine.fingerprint",
        "examples_utils.machine.load",
    }


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_no_modules_import_each_other_in_a_circle(folder: str) -> None:
    known = modules(folder)
    graph = {
        module: imported(path, at_run_time=True) & set(known) - {module} for module, path in known.items()
    }
    # A package is there before its modules: what they import from it does not load it again.
    graph = {
        module: {name for name in names if not module.startswith(f"{name}.")}
        for module, names in graph.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


@pytest.mark.slow
def test_rooms_of_the_runner_import_only_from_the_floors_below() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    against = set()
    for module, path in modules("examples_utils").items():
        if module in ("examples_utils", "examples_utils.__main__"):
            continue
        for name in imported(path):
            if name.startswith("examples_utils.") and room(name) != room(module):
                here, there = room(module), room(name)
                if here not in floor or there not in floor or floor[here] >= floor[there]:
                    against.add((here, there))
    assert not against, f"these rooms import from their own floor, or from one above: {sorted(against)}"


def test_the_statistics_of_comparisons_know_nothing_but_arrays() -> None:
    for module, path in modules("examples_utils/comparison/statistics").items():
        names = {name for name in imported(path) if name.startswith(("examples_utils", "benchmark_parsers"))}
        assert all(name.startswith("examples_utils.comparison.statistics") for name in names), module


def test_the_runner_has_few_files_at_the_top_and_no_crowded_rooms() -> None:
    folders = {path.parent for path in modules("examples_utils").values()}
    assert len(list((ROOT / "examples_utils").glob("*.py"))) <= MOST_FILES_AT_THE_TOP
    for folder in folders:
        files = [path for path in folder.iterdir() if path.is_file()]
        assert len(files) <= MOST_FILES_IN_A_FOLDER, folder


@pytest.mark.parametrize(
    "module", ["examples_utils.cli", "benchmark_parsers", "driver.command", "models", "measurement.options"]
)
def test_nothing_loads_an_engine_before_it_is_chosen(module: str) -> None:
    code = f"import sys, {module}; print({ENGINES} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
