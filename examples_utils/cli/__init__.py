"""The command line: one file a command."""

from examples_utils.cli.main import main

__all__ = ["main"]
