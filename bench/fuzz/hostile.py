"""Values and words that programs stumble over, and the only commands that a generated spec runs."""

from __future__ import annotations

from bench.fuzz.case import FOLDER

DEEP = "@DEEP@"
"""A string that `structure.written` replaces by a value nested a thousand levels deep."""

DEEPEST = "@DEEPEST@"
"""The same, 100,000 levels deep."""

TRIVIAL_COMMANDS = (
    "echo throughput: 123.4 samples/sec latency avg: 5.6 ms",
    "echo throughput: {n} samples/sec",
    "echo nothing",
    "echo 'rate: 1,234.5 items/s'",
    "true",
    "false",
    "sleep 0.01",
    "no-such-program",
)

NUMBERS = (0, -1, 1, 2, 10**6, 2**31, 2**63, 2**64, 10**25, 10**400, -(10**30), 0.1, -0.0, 1e-320, 1e308,
           float("inf"), float("-inf"), float("nan"))  # fmt: skip

PATHS = (
    "..", "../..", ".", "/", "~", "/dev/null", "/proc/self/mem", "/nonexistent/x", f"{FOLDER}", f"{FOLDER}/outside",
    f"{FOLDER}/log/../../outside", "../outside", "a/../../outside", "\x00", "x" * 300, "汉" * 100, "run.json",
    "console.log", ".lock", "benchmark_results.json", "CON", "-rf", "--log-dir",
)  # fmt: skip

TEXTS = (
    "", " ", "\n", "\t", "\r\n", "\x00", "\x07", "\x1b[31mred", "\x1b]0;title\x07", "\x85", "\u2028", "\ufeff",
    "\u202egnp.exe", "e\u0301", "é", "ﬁ", "İ", "ß", "٣", "１２", "𝟙", "🧪", "\ud800", "\udcff", "\uffff", "null",
    "~", "no", "yes", "true", "1_000", "0x10", "010", "1:30", "1e999", "nan", "inf", "2020-99-99", "=1+1", "+1",
    "@x", "{", "}", "{}", "{n", "{n}", "{{n}}", "{n!r}", "{n:>99999}", "{0}", "{n.__class__}", "{n[0]}", "$",
    "$HOME", "${HOME}", "${", "$NOT_SET", "%s", "%", "%(n)s", "\\", "'", '"', "`", "#", "&", "*", "!", "|", ">",
    "-", "?", ":", ",", "[", "]", "<b>", "]]>", "&amp;", "<![CDATA[", "a b", "options", "my_options", "_conv",
    "wandb", "--wandb", "poprun", "mpirun -np 3", "throughput", "latency", "mean", "final", "1,2,3", "1, ,2",
    ",", ",,,", "(.*?)", "(", "(?P<n>x)", "()", "[", "*", "(?i)x", "((a|a)+)$", "(\\d+)+x", "x{1,99999}", "\\1",
    "(?<=x*)y", "2**3", "9**9**9", "'a'*9", "min()", "x if", "__import__", "1/0", "throughput*1e308*1e308",
    "python>=3.99", "cores>=x", "memory>=1", "a.b", "ipu", "-1%", "200%", "0%", "A" * 5000, *PATHS,
)  # fmt: skip

WORDS = (
    "cmd", "notebook", "parameters", "data", "parser", "derived", "output", "env", "timeout", "description", "location",
    "generated", "synthetic", "requirements_file", "pre_run_commands", "allow_wandb", "shell", "compare",
    "requires", "tags", "regexp", "reduction_type", "skip", "unit", "direction", "expr", "threshold", "file", "<<",
    "driver", "hyperfine", "loadgen", "results", "metrics", "status", "params", "value", "samples", "summary",
)  # fmt: skip
"""Keys and values that mean something to the runner."""

TOKENS = (
    "{", "}", "[", "]", ":", ": ", "- ", ",", "\n", "  ", "\t", "'", '"', "&a ", "*a", "<<: *a\n", "null", "0",
    "-", "1e999", "!!int ", "!!binary ", "!!python/object:os.system ", "!!set ", "!!omap ", "!x ", "? ", "| ",
    "> ", "#", "%YAML 9.9\n", "---\n", "...\n", "\x00", "\x07", "\x1b[2J", "\x7f", "\x85", "\ufeff", "\u2028",
    "\r", "\r\n", "\udcff", "\udc80\udc80", "\ud800", "é", "[" * 2000, "{a: " * 500, "\\u0000", "\\ud800",
    "NaN", "Infinity", "1" * 5000, "1.0.0", "1,234.5", "1_234", "ms", "%",
)  # fmt: skip
