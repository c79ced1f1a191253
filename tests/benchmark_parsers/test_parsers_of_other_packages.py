"""A parser of another installed package is used, and its faults are reported and affect nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark_parsers.result_check import check_results

ROOT = Path(__file__).parents[2]
MODULE = """
from benchmark_parsers.parsed import Metric, Parsed

class Words:
    def __init__(self):
        self.words = 0
    def feed(self, block):
        self.words += len(block.split())
    def parsed(self):
        return Parsed({"words": Metric(self.words, "words", "higher", "sum")}, {"language": "en"})

class RaisesInFeed(Words):
    def feed(self, block):
        raise ZeroDivisionError("no such luck")

class RaisesAtTheEnd(Words):
    def parsed(self):
        raise SystemExit(3)

class RaisesAtTheStart:
    def __init__(self):
        raise KeyError("nothing")

class GivesADictionary(Words):
    def parsed(self):
        return {"words": 3}

class GivesNonsense(Words):
    def parsed(self):
        return Parsed({"a": 3, "b": Metric(float("nan")), "c": Metric("4"), "d": Metric(-1, "ms"),
                       "e": Metric(1, "ms", "sideways"), "good": Metric(True + 1)})

class GivesTooMuch(Words):
    def parsed(self):
        class Tensor:  # of two elements
            def __float__(self):
                raise RuntimeError("only one element can be converted")
            __repr__ = __float__
        return Parsed({"huge": Metric(10**400), "longer": Metric(10**5000), "tensor": Metric(Tensor()),
                       "good": Metric(3)})

class GivesTooLargeASample(Words):
    def parsed(self):
        return Parsed({"words": Metric(3, samples=(1, 10**400))})


class SaysALot(Words):
    def parsed(self):
        return Parsed({"words": Metric(3, "", "higher", "", tuple(range(1000)),
                                       {"median": 2, "count": 0, "std": -1, "p50": 3, "mean": 4})})

NOT_A_CLASS = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two installed packages: one whose parsers import, one whose parser does not."""
    installed = tmp_path / "installed"
    words = installed / "acme_words-1.2.dist-info"
    words.mkdir(parents=True)
    (words / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-words\nVersion: 1.2\n")
    names = ("Words", "RaisesInFeed", "RaisesAtTheEnd", "RaisesAtTheStart", "GivesADictionary", "GivesNonsense",
             "GivesTooMuch", "GivesTooLargeASample", "SaysALot", "NOT_A_CLASS")  # fmt: skip
    points = (
        "".join(f"{name.lower()} = acme_words:{name}\n" for name in names) + "driver = acme_words:Words\n"
    )
    (words / "entry_points.txt").write_text(f"[benchmark_parsers]\n{points}twice = acme_words:Words\n")
    (installed / "acme_words.py").write_text(MODULE)
    broken = installed / "acme_broken-0.1.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 0.1\n")
    (broken / "entry_points.txt").write_text(
        "[benchmark_parsers]\nbroken = acme_broken:Parser\ntwice = acme_broken:P\n"
    )
    (installed / "acme_broken.py").write_text("import there_is_no_such_module\n")
    (tmp_path / "out").write_text("three small words\n")
    return tmp_path


def runner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'installed'}"}
    command = [sys.executable, "-m", "examples_utils", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr + done.stdout
    return done


@pytest.mark.slow
def test_a_variant_is_read_by_it(folder):
    (folder / "benchmarks.yml").write_text("w: {cmd: cat out, parser: words}\n")
    done = runner(folder, "benchmark", "--log-dir", "log")
    assert done.returncode == 0
    record = json.loads((folder / "log/benchmark_results.json").read_text())["w"][0]
    assert record["results"]["words"] == {"sum": 3}
    assert record["metrics"]["words"] == {
        "value": 3, "unit": "words", "direction": "higher", "reduction": "sum", "parser": "words"
    }  # fmt: skip
    assert record["settings"] == {"language": "en"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("broken", "of acme-broken 0.1 (acme_broken:Parser) cannot be imported: ModuleNotFoundError"),
        ("not_a_class", "is not a class or function"),
        ("twice", "is provided by acme-broken 0.1 (acme_broken:P) and acme-words 1.2 (acme_words:Words)"),
        ("wordz", "no parser is called 'wordz'; did you mean words?"),
    ],
)
def test_one_that_cannot_be_loaded_is_refused_at_its_place_in_the_spec(folder, name, reported):
    (folder / "benchmarks.yml").write_text(f"w:\n  cmd: cat out\n  parser: {name}\n")
    for command in (["validate"], ["benchmark", "--log-dir", "log"]):
        done = runner(folder, *command)
        assert done.returncode == 2
        assert "benchmarks.yml:3:11: error: w.parser: " in done.stdout + done.stderr
        assert reported in done.stdout + done.stderr
    assert not (folder / "log").exists()
    parsed = runner(folder, "parse", "--parser", name, "--stdout", "out")
    assert parsed.returncode == 2
    assert reported in parsed.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("raisesinfeed", "parser raisesinfeed raised ZeroDivisionError: no such luck"),
        ("raisesattheend", "raised SystemExit: 3"),
        ("raisesatthestart", "raised KeyError: 'nothing'"),
        ("givesadictionary", "which is not a Parsed"),
        (
            "givesnonsense",
            "b: nan is not a finite number; c: '4' is not a finite number; d: -1 ms is negative",
        ),
        ("givestoomuch", "tensor: an unprintable Tensor is not a finite number"),
        ("givestoolargeasample", "returned values that cannot be stored: OverflowError: int too large"),
    ],
)
def test_one_that_fails_fails_its_variant_alone(folder, name, reported):
    (folder / "benchmarks.yml").write_text(
        f"a: {{cmd: cat out, parser: {name}}}\nb: {{cmd: cat out, parser: words}}\n"
    )
    done = runner(folder, "benchmark", "--log-dir", "log")
    assert done.returncode == 1
    records = json.loads((folder / "log/benchmark_results.json").read_text())
    assert reported in records["a"][0]["reason"]
    assert records["b"][0]["status"] == "passed"


@pytest.mark.slow
def test_a_built_in_parser_is_not_replaced_by_another_package(folder):
    done = runner(folder, "parse", "--parser", "driver", "--stdout", "out")
    assert "run_benchmark.py" in json.loads(done.stdout)["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["givesnonsense", "givestoomuch"])
def test_figures_that_are_good_are_kept_beside_those_that_are_not(folder, name):
    done = runner(folder, "parse", "--parser", name, "--stdout", "out")
    assert list(json.loads(done.stdout)["metrics"]) == ["good"]


@pytest.mark.slow
def test_what_records_do_not_hold_is_left_out_and_the_record_is_valid(folder):
    (folder / "benchmarks.yml").write_text("w: {cmd: cat out, parser: saysalot}\n")
    assert runner(folder, "benchmark", "--log-dir", "log").returncode == 0
    file = folder / "log/benchmark_results.json"
    assert check_results(file).problems == ()
    metric = json.loads(file.read_text())["w"][0]["repetitions"][0]["metrics"]["words"]
    assert (metric["unit"], metric["reduction"], metric["summary"]) == (None, "value", {"p50": 3, "mean": 4})
    assert metric["samples"][:2] == [0, 4]
    assert len(metric["samples"]) == 250
