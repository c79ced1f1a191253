"""Parts of Graphcore's examples_utils that this runner does not have end with what to use instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from examples_utils.original import COMMANDS


@pytest.mark.parametrize("name", ["load_lib_build", "test_copyright", "paperspace", "platform_assessment"])
def test_a_command_of_the_original_names_its_replacement(workplace, name):
    refused = workplace.command(name, "--spec", "x.yml")
    assert refused.exitcode == 2
    assert refused.err.startswith(f"error: {name}: is not part of this runner; the original ")
    assert COMMANDS[name] in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    "statement",
    [
        "from examples_utils import load_lib",
        "from examples_utils import parse_yaml_config",
        "import examples_utils.parsing",
        "from examples_utils.parsing import parse_yaml_config",
        "from examples_utils.load_lib_utils.load_lib_utils import load_lib",
        "from examples_utils.testing.test_commands import SubProcessChecker",
    ],
)
def test_an_import_of_the_original_names_its_replacement(statement):
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: examples_utils.")
    assert "is part of Graphcore's examples-utils" in last
    assert "install Graphcore's examples-utils in the application's own environment" in last
    assert "--python DIR" in last


def test_other_names_are_missing_as_usual():
    code = (
        "import examples_utils\nassert not hasattr(examples_utils, 'load_lib')\nimport examples_utils.nothing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'examples_utils.nothing'"


def test_the_keys_of_platform_assessment_are_named_with_what_to_do(workplace):
    workplace.spec(
        "far_gen:\n  repository: {origin: 'https://example.invalid/app.git', ref: v1}\n"
        "  required_apt_packages: [libfoo]\n  location: app\n  cmd: echo near\n"
    )
    printed = workplace.command("validate").out
    assert "2:3: warning: far_gen.repository: unknown key" in printed
    assert "git clone URL" in printed
    assert "far_gen.required_apt_packages: unknown key" in printed
    assert "required_apt_packages_path, and pass --prepare" in printed
    assert workplace.benchmark().exitcode == 0
