"""The serving tests are found under the paths that specs in the field name."""

from __future__ import annotations

from pathlib import Path

import pytest

from run_benchmark_with_triton_server import TESTS, where_the_tests_are


@pytest.mark.parametrize(
    "folder", ["tests/tritonserver", "../tests/tritonserver", "../tests_serial/tritonserver"]
)
@pytest.mark.parametrize(
    "rest", ["", "/", "/test_single_model.py", "/test_single_model.py::test_single_model"]
)
def test_a_path_of_the_original_leads_to_the_tests(folder: str, rest: str) -> None:
    assert where_the_tests_are(folder + rest) == f"{TESTS}{rest}"
    assert Path(f"{TESTS}{rest}".partition("::")[0]).exists()


@pytest.mark.parametrize(
    "word", ["tests/tritonserver2", "my/tests/tritonserver", "-k", "test_single_model[a-b]", ""]
)
def test_other_words_stay(word: str) -> None:
    assert where_the_tests_are(word) == word


def test_a_path_that_exists_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tests/tritonserver").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert where_the_tests_are("tests/tritonserver/") == "tests/tritonserver/"
