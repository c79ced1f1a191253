"""What is secret appears in nothing that a run keeps."""

import os
import sqlite3
import stat
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from examples_utils.redaction.command_secrets import given_values, without_given_values
from examples_utils.redaction.redactor import OutputRedaction, Redactor
from examples_utils.redaction.secret_values import secret_values
from tests.examples_utils.conftest import Workplace

TOKEN = "tok/3n 'with' \"quotes\" & $igns"
PLAIN_TOKEN = "hf_Zm9vYmFyYmF6"
SPEC = """
uses_secrets:
  cmd: python3 show.py --token $MY_API_TOKEN --url https://user:pass9word@example.org/x?api_key=zzz9&n=1
  env:
    MODEL_PASSWORD: geheim-$MY_API_TOKEN
    OTHER_KEY: literal-in-spec
    WORKERS_KEY: "8"
    GREETING: hello $USER_NAME
  pre_run_commands: ["echo $MY_API_TOKEN"]
  data: {rate: {regexp: 'rate (.*?) items'}}
"""
SHOW = """
import os, sys
print("argv", sys.argv[1:])
print("rate 8.25 items")
for name, value in os.environ.items():
    print(name, value, file=sys.stderr)
print("error: refused", os.environ["MODEL_PASSWORD"], file=sys.stderr)
sys.exit(3)
"""


def kept(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def files_with(secret: str, folder: Path) -> list[str]:
    return [name for name, data in kept(folder).items() if secret.encode() in data]


@pytest.fixture
def secretive(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("MY_API_TOKEN", PLAIN_TOKEN)
    monkeypatch.setenv("USER_NAME", "somebody")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    workplace.spec(SPEC)
    workplace.script("show.py", SHOW)
    return workplace


@pytest.mark.slow
def test_nothing_that_a_run_keeps_or_prints_holds_a_secret(secretive: Workplace) -> None:
    done = secretive.benchmark("--prepare", "--additional-metrics")
    assert done.exitcode == 1
    for secret in (PLAIN_TOKEN, "geheim", "literal-in-spec", "pass9word", "zzz9"):
        assert files_with(secret, secretive.log) == [], secret
        assert secret not in done.out, secret
    record = done.by_variant["uses_secrets"]
    assert record["reason"] == "exited with code 3: refused ***"
    assert "OTHER_KEY ***" in (secretive.log / "uses_secrets" / "stderr.log").read_text()


def test_commands_and_variables_are_kept_as_the_entry_has_them(secretive: Workplace) -> None:
    record = secretive.benchmark("--quiet").by_variant["uses_secrets"]
    assert "--token $MY_API_TOKEN --url" in record["command"]
    assert "user:***@example.org/x?api_key=***&n=1" in record["command"]
    assert record["env"]["GREETING"] == "hello $USER_NAME"
    assert record["env"]["MODEL_PASSWORD"] == "***"
    assert record["env"]["WORKERS_KEY"] == "8"


@pytest.mark.slow
def test_the_history_holds_no_secret(secretive: Workplace) -> None:
    secretive.benchmark("--history", "runs.db", "--quiet")
    with sqlite3.connect(secretive.folder / "runs.db") as history:
        dump = "\n".join(history.iterdump())
    assert "uses_secrets" in dump
    for secret in (PLAIN_TOKEN, "geheim", "literal-in-spec", "pass9word"):
        assert secret not in dump, secret


def test_a_dry_run_prints_no_secret(secretive: Workplace) -> None:
    out = secretive.benchmark("--dry-run").out
    assert "--token $MY_API_TOKEN" in out
    for secret in (PLAIN_TOKEN, "geheim", "literal-in-spec", "pass9word"):
        assert secret not in out, secret


def test_keep_secrets_keeps_them_in_a_folder_of_the_owner(secretive: Workplace) -> None:
    secretive.benchmark("--keep-secrets", "--quiet")
    assert PLAIN_TOKEN in (secretive.log / "uses_secrets" / "stderr.log").read_text()
    assert stat.S_IMODE(secretive.log.stat().st_mode) == 0o700


def test_keep_secrets_refuses_a_folder_of_other_files_that_others_can_read(secretive: Workplace) -> None:
    secretive.log.mkdir(mode=0o755)
    secretive.log.chmod(0o755)
    (secretive.log / "notes.txt").write_text("mine")
    done = secretive.benchmark("--keep-secrets")
    assert done.exitcode == 2
    assert "chmod 700" in done.err
    assert stat.S_IMODE(secretive.log.stat().st_mode) == 0o755


def test_a_secret_that_arrives_in_pieces_is_replaced() -> None:
    redactor = Redactor(secret_values([("A_TOKEN", PLAIN_TOKEN)]))
    data = f"first {PLAIN_TOKEN}\nhttp://u:{PLAIN_TOKEN[:6]}@host/ {PLAIN_TOKEN}".encode()
    for size in (1, 2, 3, 7, 11):
        redaction = OutputRedaction(redactor)
        pieces = [redaction.feed(data[start : start + size]) for start in range(0, len(data), size)]
        assert b"".join([*pieces, redaction.finish()]) == b"first ***\nhttp://u:***@host/ ***"


def test_a_line_without_an_end_is_passed_on_without_its_secrets() -> None:
    redaction = OutputRedaction(Redactor((PLAIN_TOKEN,)))
    filler = b"x" * 100_003
    given = b"".join(filler + PLAIN_TOKEN.encode() for _ in range(40))
    passed_on = b"".join(
        redaction.feed(given[start : start + 65_536]) for start in range(0, len(given), 65_536)
    )
    assert len(passed_on) > 1_000_000
    assert passed_on + redaction.finish() == b"".join(filler + b"***" for _ in range(40))


def test_a_secret_is_replaced_as_it_looks_in_urls_and_in_json() -> None:
    redactor = Redactor((TOKEN,))
    for form in (TOKEN, quote(TOKEN, safe=""), TOKEN.replace('"', '\\"')):
        assert redactor.text(f"<{form}>") == "<***>"


def test_each_line_of_a_private_key_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nsEcOnDlInE123456\n-----END KEY-----"
    redactor = Redactor(secret_values([("SSH_KEY", key)]))
    assert redactor.text("loaded sEcOnDlInE123456") == "loaded ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"), ("A_KEY", "1"), ("MAX_TOKENS", "2048"), ("KEY_RATE", "12.5"),
        ("A_KEY", "abc"), ("SSH_KEY", "/"), ("KEYMAP", "items"), ("HOME_PAGE", "not-a-secret"), ("A_TOKEN", ""),
    ],
)  # fmt: skip
def test_short_and_plain_values_damage_no_output(name: str, value: str) -> None:
    assert secret_values([(name, value)], {"items"}) == ()


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "ApiKey", "MYSECRET", "PGPASSWD"]
)
@pytest.mark.parametrize("value", ["hunter2", "swordfish", "12345678", "ab cd"])
def test_a_value_of_a_variable_with_such_a_name_is_secret(name: str, value: str) -> None:
    assert secret_values([(name, value)]) == (value,)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://me:pa@ss@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("https://ghp_1234@github.com/a", "https://***@github.com/a"),
        ("ssh://git@github.com/a", "ssh://git@github.com/a"),
        ("https://s3/x?X-Amz-Signature=abc&n=1", "https://s3/x?X-Amz-Signature=***&n=1"),
        ("HTTPS://ghp_1@h/a ftp://u:@h ws://a@b:c@h", "HTTPS://***@h/a ftp://u:***@h ws://a@b:***@h"),
        ("http://h/?u=http://me:pw@h2/", "http://h/?u=http://me:***@h2/"),
        ("http://h/?a_key=1;b=2&TOKEN=3#x ?c_key=4", "http://h/?a_key=***;b=2&TOKEN=***#x ?c_key=4"),
        ("<http://t1@h> 'http://h:80' \"http://u:p/w@h\"", "<http://***@h> 'http://h:80' \"http://u:p/w@h\""),
        ("http://é\u2003:p\u00a0w@h/", "http://é\u2003:***@h/"),
        ("mail me@example.org or see http://host:80/a@b", "mail me@example.org or see http://host:80/a@b"),
    ],
)
def test_credentials_in_urls_are_replaced(given: str, expected: str) -> None:
    assert Redactor().text(given) == expected
    assert Redactor().output(given.encode()) == expected.encode()


def test_a_variable_that_the_command_itself_sets_is_secret(workplace: Workplace) -> None:
    workplace.spec(
        "a:\n  shell: true\n  cmd: A_TOKEN=swordfish B_KEY='two words' sh -c 'echo $A_TOKEN $B_KEY'\n"
    )
    done = workplace.benchmark("--quiet")
    assert done.exitcode == 0
    assert files_with("swordfish", done.log) == []
    assert files_with("two words", done.log) == []


@pytest.mark.parametrize(
    ("command", "secrets"),
    [
        ("serve --password swordfish --port 80", ["swordfish"]),
        ("serve --db-password='two words' -token=abc-123", ["two words", "abc-123"]),
        (
            "serve --api-key k-12345 --hf_token hf_1234 --client-secret=s3cr3t",
            ["k-12345", "hf_1234", "s3cr3t"],
        ),
        ("A_TOKEN=first-1 serve --AccessToken second", ["first-1", "second"]),
        (
            "sh -c 'A_TOKEN=first-1; serve --password swordfish; echo'",
            ["first-1", "first-1;", "swordfish", "swordfish;"],
        ),
        ("serve --password 'sword;fish'", ["sword;fish"]),
        (
            "sh -c 'A_TOKEN=first-1' && sh -c \"serve '--password=swordfish' --token t-1234\"",
            ["first-1", "swordfish", "t-1234"],
        ),
        (
            "curl -H 'Authorization: Bearer abc-123' -H X-Api-Key:k-12345 -H \"PRIVATE-TOKEN: p-1\"",
            ["abc-123", "k-12345"],
        ),
        ("curl -H 'Authorization: Bearer $TOKEN' -H 'Accept: text/html' -H 'X-Keyboard: none-1'", []),
        ("serve --tokenizer gpt2 --eos-token '</s>' --max-tokens 4096 --sort-key speed --monkey fast", []),
        (
            "serve --token --password $DB_PASSWORD --secret {p} --token 17 --credentials /etc/hosts -p 8080",
            [],
        ),
    ],
)
def test_values_of_options_that_are_named_as_secrets_are_secret(command: str, secrets: list[str]) -> None:
    given = given_values(command)
    assert sorted(secret_values(given)) == sorted(secrets)
    assert not [secret for secret in secrets if secret in without_given_values(command)]


@pytest.mark.slow
def test_the_value_of_an_option_that_is_named_as_a_secret_is_kept_nowhere(workplace: Workplace) -> None:
    workplace.spec(
        "a: {cmd: echo --password swordfish --port 4711, pre_run_commands: [echo --api-key=abcd-1234]}\n"
    )
    done = workplace.benchmark("--prepare", "--quiet")
    assert done.exitcode == 0
    assert files_with("swordfish", done.log) == []
    assert files_with("abcd-1234", done.log) == []
    assert done.by_variant["a"]["command"] == "echo --password *** --port 4711"
    assert "--password *** --port 4711" in (done.log / "a" / "stdout.log").read_text()


@pytest.mark.slow
def test_the_password_of_an_index_stays_in_no_requirements(workplace: Workplace) -> None:
    workplace.script(
        "requirements.txt",
        "--no-index\n--find-links https://me:pa55word@example.org/\n-e git+https://x/examples-utils\n",
    )
    workplace.spec("a: {cmd: echo hi, requirements_file: requirements.txt}\n")
    workplace.benchmark("--prepare", "--quiet")
    assert list((workplace.log / "preparation").iterdir())
    assert files_with("pa55word", workplace.log) == []
