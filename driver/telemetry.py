"""No library that a run loads reports it to anybody: what is measured here is its user's own business."""

from __future__ import annotations

import os
import sys

SWITCHES = {
    "DO_NOT_TRACK": "1",  # https://donottrack.sh, which huggingface_hub and hf_xet follow
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, and hf_xet, which reports transfers
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's Privacy.md: to be set before it is loaded
}
"""The switches that libraries document, as variables of the environment; child processes inherit them."""


def switch_off() -> None:
    """To be called in each process before it loads an engine. What the user's environment sets stays.

    OpenVINO has no such switch: it sends events whenever it is imported and whenever it converts a model, from
    processes of its own, unless a file in the home folder forbids it. Where its package for that cannot be imported it
    uses a stub that sends nothing. The file is the user's, so it is the import that is prevented.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
