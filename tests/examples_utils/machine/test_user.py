"""Who gives a command is known wherever it is given."""

from __future__ import annotations

import getpass
import os
import platform

import pytest

from examples_utils.machine.user import user


def test_git_gives_the_name_and_the_system_the_account(tmp_path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Ada  Lovelace\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.chdir(tmp_path)
    here = f"{getpass.getuser()}@{platform.node()}"
    assert user() == f"Ada Lovelace ({here})"
    config.write_text("")
    assert user() == here
    monkeypatch.setenv("PATH", str(tmp_path))
    assert user() == here


def test_an_account_without_a_name_is_a_number(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert user() == f"{os.getuid()}@{platform.node()}"
