"""Small specs that describe enormous work are refused, in bounded time and memory, before any of it is done."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.patience import HANG_S

DIGITS = ",".join("0123456789")
ALIASES = "\n".join(
    [
        "l0_options: &l0 [x, x, x, x, x, x, x, x, x, x]",
        *(f"l{n}_options: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 13)),
    ]
)
MAPPINGS = "\n".join(
    [
        "m0_options: &m0 {a: x, a: x}",
        *(f"m{n}_options: &m{n} {{a: *m{n - 1}, b: *m{n - 1}, c: *m{n - 1}}}" for n in range(1, 30)),
    ]
)
CHAIN = "\n".join(["c0_options: &c0 [x]", *(f"c{n}_options: &c{n} [*c{n - 1}]" for n in range(1, 900))])
BOMBS = {
    "variants": (
        "a:\n  cmd: x\n  parameters: {" + ", ".join(f"p{n}: '{DIGITS}'" for n in range(8)) + "}",
        "makes 100,000,000 variants; at most 100,000 are allowed",
    ),
    "values": (
        "a:\n  cmd: x\n  parameters: {p: '" + ",".join(map(str, range(100_001))) + "'}",
        "makes 100,001 variants",
    ),
    "a long command": (
        "a:\n  cmd: echo " + "{p}" * 9000 + "\n  parameters: {p: [" + "x" * 9000 + "]}",
        "makes commands and names of 81,036,005 characters; at most 33,554,432",
    ),
    "long names": (
        "a:\n  cmd: echo\n  parameters: {p: '" + DIGITS * 99 + "', q: [" + "x" * 90_000 + "]}",
        "commands and names of",
    ),
    "aliases": (f"{ALIASES}\na: {{cmd: x, parameters: *l12}}", "the aliases repeat"),
    "aliases of an unknown key": (f"{ALIASES}\na: {{cmd: x, anything: *l12}}", "the aliases repeat"),
    "aliases with a fault inside": (f"{MAPPINGS}\na: {{cmd: x, env: *m29}}", "the aliases repeat"),
    "a chain of aliases": (f"{CHAIN}\na: {{cmd: x, env: *c899}}", "nested more than 100 levels deep"),
    "rows of nothing": ("a:\n  cmd: x\n  parameters:\n    - [p]\n" + "    - [[]]\n" * 30_000, "got []"),
    "one key": ("a: {cmd: echo}\n" * 20_000 + "b: {}", "cmd is missing"),
}
BYTES = 1 << 30  # far above what is needed, far below what the work would take


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "list"])
@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_is_refused_with_its_size(tmp_path, title, command):
    text, message = BOMBS[title]
    file = tmp_path / "bomb.yml"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "examples_utils", command, "--spec", str(file)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES)),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_variants_of_all_selected_entries_count(workplace):
    values = ",".join(map(str, range(60_000)))
    workplace.spec("".join(f"{name}: {{cmd: x, parameters: {{p: '{values}'}}}}\n" for name in "ab"))
    assert workplace.command("validate").exitcode == 0
    done = workplace.command("list")
    assert done.exitcode == 2
    assert "make 120,000 variants; at most 100,000 are allowed: select fewer" in done.err


def test_the_commands_of_all_selected_entries_count(workplace):
    entry = f"  cmd: echo {'{p}' * 2000}\n  parameters: {{p: [{'x' * 10_000}]}}\n"
    workplace.spec("".join(f"{name}:\n{entry}" for name in "ab"))
    assert workplace.command("validate").exitcode == 0
    done = workplace.command("list")
    assert done.exitcode == 2
    assert "make commands and names of 40,032,010 characters" in done.err


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_too_many_repetitions_are_refused_with_their_number(workplace, more):
    workplace.spec("a: {cmd: echo}\nb: {cmd: echo}\n")
    done = workplace.benchmark("--repeat", "30000000", *more)
    assert done.exitcode == 2
    assert "--repeat 30000000: makes 60,000,000 executions of 2 variants; at most 100,000" in done.err
    assert not workplace.log.exists()


@pytest.mark.slow
def test_a_merge_of_many_large_blocks_is_no_bomb(workplace):
    block = "b_options: &b\n  env: {" + ", ".join(f"V{n}: {n}" for n in range(50)) + "}\n"
    workplace.spec(block + "".join(f"e{n}: {{<<: *b, cmd: echo {n}}}\n" for n in range(2000)))
    assert workplace.command("validate").out.endswith("1 specs, 2000 benchmarks, 0 errors, 0 warnings\n")
