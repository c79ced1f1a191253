"""Lines of requirements files that name the runner's own distribution are recognised in all their forms."""

from __future__ import annotations

import pytest

from examples_utils.planning.requirement_lines import requirement_lines

OWN = (
    "examples-utils",
    "examples_utils==0.1.0",
    "Examples.Utils >= 0.1 ; python_version < '4'",
    "examples-utils @ git+https://example.invalid/x.git@v1",
    "examples-utils[common, jupyter] @ git+https://example.invalid/examples-utils@latest",
    "git+https://example.invalid/lab/examples-utils",
    "git+https://example.invalid/lab/examples-utils.git@feature/one",
    "git+ssh://git@example.invalid/lab/examples_utils.git@v1.2#egg=examples-utils",
    "-e git+https://example.invalid/lab/other.git#egg=examples_utils",
    "--editable=./vendor/examples-utils",
    "./wheels/examples_utils-0.1.0-py3-none-any.whl",
    "examples-utils-0.1.tar.gz",
    "https://example.invalid/examples_utils-0.1.0.zip",
    "file:///srv/wheels/examples_utils-0.1.0-py3-none-any.whl",
    "examples-utils --hash=sha256:00",
    "https://example.invalid/lab/examples-utils/archive/refs/tags/v1.0.zip",
    "https://example.invalid/lab/examples-utils/zipball/main",
    "https://example.invalid/lab/examples_utils/tar.gz/refs/heads/main",
)
OTHERS = (
    "numpy>=1.23",
    "examples-utils-plugin==1.0",
    "my-examples-utils",
    "other @ https://example.invalid/examples-utils/other-1.0.zip",
    "./examples-utils/other-1.0-py3-none-any.whl",
    "git+https://example.invalid/examples-utils/other.git@examples-utils",
    "--extra-index-url https://example.invalid/examples-utils",
    "https://example.invalid/examples-utils/other/archive/main.zip",
    "https://[examples-utils/other",
)


@pytest.mark.parametrize("line", OWN)
def test_a_line_that_names_the_distribution_is_left_out(tmp_path, line):
    file = tmp_path / "requirements.txt"
    file.write_text(f"numpy\n{line}  # as the examples do\ntqdm\n")
    assert requirement_lines(file) == (["numpy", "tqdm"], [line])


@pytest.mark.parametrize("line", OTHERS)
def test_a_line_that_only_contains_the_name_is_kept(tmp_path, line):
    file = tmp_path / "requirements.txt"
    file.write_text(f"{line}\n")
    assert requirement_lines(file) == ([line], [])


def test_a_project_in_a_folder_of_any_name_is_recognised_by_its_own(tmp_path):
    for folder, text in (
        ("tools", 'setup(name="examples_utils")'),
        ("examples-utils", "setup(name='other')"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "setup.py").write_text(f"from setuptools import setup\n{text}\n")
    file = tmp_path / "requirements.txt"
    file.write_text("-e ./tools\n-e ./examples-utils\n")
    assert requirement_lines(file) == (["-e ./examples-utils"], ["-e ./tools"])


def test_the_name_of_a_project_is_that_in_its_own_table(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/pyproject.toml").write_text(
        '[[tool.other.index]]\nname = "pypi"\n[project]\nversion = "1"\nname = "examples_utils"\n'
    )
    file = tmp_path / "requirements.txt"
    file.write_text("./tools[common]\n")
    assert requirement_lines(file) == ([], ["./tools[common]"])


def test_paths_of_projects_are_relative_to_the_folder_in_which_pip_runs(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/setup.py").write_text('from setuptools import setup\nsetup(name="examples-utils")\n')
    (tmp_path / "requirements").mkdir()
    file = tmp_path / "requirements/base.txt"
    file.write_text("-e tools\n")
    assert requirement_lines(file, tmp_path) == ([], ["-e tools"])


def test_paths_with_blanks_are_read_and_passed_on_in_quotes(tmp_path):
    folder = tmp_path / "my app"
    (folder / "my wheels").mkdir(parents=True)
    (folder / "base set.txt").write_text("numpy\nexamples-utils\n")
    file = folder / "requirements.txt"
    file.write_text(
        '-r "base set.txt"\n-c pins.txt\n--find-links "my wheels"\n-f https://example.invalid/x\n'
    )
    kept, left_out = requirement_lines(file)
    assert kept == [
        "numpy",
        f"-c '{folder}/pins.txt'",
        f"-f '{folder}/my wheels'",
        "-f https://example.invalid/x",
    ]
    assert left_out == ["examples-utils"]


def test_a_comment_that_ends_with_a_backslash_does_not_hide_the_next_line(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("# for now \\\nnumpy \\\n  >=1 \\\n  ; python_version > '3'\nexamples-utils\n")
    kept, left_out = requirement_lines(file)
    assert [" ".join(line.split()) for line in kept] == ["numpy >=1 ; python_version > '3'"]
    assert left_out == ["examples-utils"]


def test_included_files_count_also_those_that_include_each_other(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text("-r more/base.txt\ntqdm \\\n  >=4\n--constraint pins.txt\n")
    (tmp_path / "more/base.txt").write_text("\ufeffexamples-utils\n-r ../requirements.txt\nnumpy\n", "utf-8")
    kept, left_out = requirement_lines(tmp_path / "requirements.txt")
    assert [" ".join(line.split()) for line in kept] == ["numpy", "tqdm >=4", f"-c {tmp_path}/pins.txt"]
    assert left_out == ["examples-utils"]


def test_a_missing_included_file_is_named(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r absent.txt\n")
    with pytest.raises(OSError, match=r"absent\.txt"):
        requirement_lines(tmp_path / "requirements.txt")
