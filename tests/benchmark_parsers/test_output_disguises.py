"""The same result is read whatever encoding it has, and whatever a launcher writes before its lines."""

from __future__ import annotations

import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.line_prefix import plain_lines
from benchmark_parsers.lines import LineBlocks
from measurement.report import Facts, summary
from tests.benchmark_parsers.tool_outputs import ONE_RESULT, SAMPLES, hyperfine, loadgen, read_output, values
from tests.measurement.test_loop_and_report import measured, settings

OUTPUTS = ONE_RESULT | {
    "driver": summary(
        settings(iterations=5), measured(iterations=5), Facts("float32", 0, 1, {"threads": "2"})
    )
    + "\n"
}
PREFIXES = [
    "[0] ", "[1,0]<stdout>:", "[1,0]<stdout>: ", "[prterun-node7-3141@1,0]<stdout>: ", "0: ", " 3: ", "[default0]:",
    "[rank0]: ", "node-1  | ", "2026-11-25T10:00:00.123456Z ", "2026-11-25 10:00:00,123 - INFO - ",
    "2026-11-25T10:00:00+0100 ", "[2026-11-25 10:00:00] ", "[10:00:00] ", "Nov 25 10:00:00 ", "1795600800.123456 ",
    "[   12.345678] ", "11/25/2026 10:00:00 AM ", "2026-11-25 10:00:00 INFO ",
    "I1125 10:00:00.123456  4242 main.cc:12] ",
    "Wed Nov 25 10:00:00 2026[1,0]<stdout>:", "2026-11-25 10:00:00 [0] ", "\x1b[32m", "  ", "\t", "        ",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("parser", OUTPUTS)
def test_the_encoding_of_an_output_does_not_matter(parser, encoding):
    expected = read_output(parser, OUTPUTS[parser])
    assert expected.problems == ()
    text = OUTPUTS[parser].replace("\n", "\r\n")
    assert read_output(parser, text.encode(encoding)) == expected


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_names_that_are_not_ascii_survive_utf_16(mark):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    text = hyperfine([("größe ☃ 🚀", 1.0, {}), ("b", 2.0, {})])
    found = read_output("hyperfine", mark + text.encode(encoding).replace(b"\\", b"\\"))
    assert values(found) == {"größe ☃ 🚀": 1000, "b": 2000}


@given(
    text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    cuts=st.lists(st.integers(0, 40)),
)
def test_it_does_not_matter_where_encoded_text_is_cut(text, encoding, cuts):
    text = "ab" + text  # a text may begin with a mark of its own, or with zeros
    data, blocks = text.encode(encoding), LineBlocks()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [blocks.feed(data[a:b]) for a, b in pairwise(edges)]
    assert "".join([*parts, blocks.finish()]) == text


def test_a_line_is_passed_on_as_soon_as_it_is_complete():
    blocks = LineBlocks()
    assert [blocks.feed(chunk) for chunk in (b"\n", b"1\n", b"2", b"\n")] == ["\n", "1\n", "", "2\n"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("parser", OUTPUTS)
def test_tags_time_stamps_and_blanks_around_lines_do_not_matter(parser, prefix):
    text = "".join(f"{prefix}{line}  \t\n" for line in OUTPUTS[parser].splitlines())
    assert read_output(parser, text) == read_output(parser, OUTPUTS[parser])


@pytest.mark.parametrize(
    "sample", ["benchmark_app.txt", "perf_analyzer_sweep.txt", "loadgen_single_stream.txt"]
)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_whole_reports_are_read_behind_tags(sample, prefix):
    parser = next(name for name in ONE_RESULT if sample.startswith(name))
    text = (SAMPLES / sample).read_text()
    tagged = "".join(f"{prefix}{line}\n" for line in text.splitlines())
    assert read_output(parser, tagged) == read_output(parser, text)


def test_two_tagged_processes_in_one_output_are_two_results():
    lines = [f"[{rank}] {line}\n" for line in loadgen(5.0).splitlines() for rank in (0, 1)]
    assert "2 summaries" in read_output("loadgen", "".join(lines)).problems[0]
    lines = [f"[{rank}] {line}\n" for line in ONE_RESULT["hyperfine"].splitlines() for rank in (0, 1)]
    assert read_output("hyperfine", "".join(lines)).problems


@pytest.mark.parametrize(
    "line", ["[ INFO ] x", "[Step 1/11] x", "50.00 percentile latency (ns)   : 14", "a: 5 ms"]
)
def test_a_tool_s_own_words_are_no_prefix(line):
    assert plain_lines(line) == [line]


@pytest.mark.parametrize("part", ["[1", " ", "0: ", "a", "[1] ", "12:00:00", "a |", '{"', "[{"])
@pytest.mark.parametrize("parser", OUTPUTS)
def test_lines_of_a_megabyte_do_not_hang_a_parser(parser, part):
    """Quadratic time would be hours."""
    assert read_output(parser, part * ((1 << 20) // len(part)) + "\n").problems
