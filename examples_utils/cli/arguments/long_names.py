"""Refuses arguments that no file system takes for a name."""

from __future__ import annotations

import argparse
import os

from examples_utils.problems import RequestError

_LONGEST_NAME_BYTES, _LONGEST_PATH_BYTES = 255, 4095  # NAME_MAX and PATH_MAX of Linux
_NOT_A_FILE = ("benchmark", "command")


def refuse_long_names(parsed: argparse.Namespace) -> None:
    """Raises RequestError for the first argument with a name over 255 bytes, or a path over 4095.

    Names of benchmarks may be longer: their folders have short names.
    """
    for option, given in vars(parsed).items():
        for text in given if isinstance(given, list) else [given]:
            if isinstance(text, str) and option not in _NOT_A_FILE:
                _refuse_long_name(option, text)


def _refuse_long_name(option: str, text: str) -> None:
    longest = max((len(os.fsencode(name)) for name in text.split("/")), default=0)
    if longest > _LONGEST_NAME_BYTES:
        fault = f"a name of {longest} bytes; file names have at most {_LONGEST_NAME_BYTES}"
    elif (length := len(os.fsencode(text))) > _LONGEST_PATH_BYTES:
        fault = f"a path of {length} bytes; paths have at most {_LONGEST_PATH_BYTES}"
    else:
        return
    raise RequestError(f"--{option.replace('_', '-')} {text[:40]}…: is {fault}")
