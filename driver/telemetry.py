"""Switches off the telemetry of all libraries that a run loads."""

from __future__ import annotations

import os
import sys

SWITCHES = {
    "DO_NOT_TRACK": "1",  # https://donottrack.sh, which huggingface_hub and hf_xet follow
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, and hf_xet, which reports transfers
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's Privacy.md: to be set before it is loaded
}
"""The documented switches, as environment variables; child processes inherit them."""


def switch_off() -> None:
    """To be called in each process before it loads an engine. Variables that the user has set are kept.

    OpenVINO has no such switch: it sends events on each import and each conversion of a model, from separate processes,
    unless a file in the home folder forbids it. Without its telemetry package it uses a stub that sends nothing. The
    file belongs to the user, so this prevents the import instead.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
