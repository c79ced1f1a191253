"""The command line: one file per command."""

from examples_utils.cli.main import main

__all__ = ["main"]
