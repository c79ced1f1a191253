"""The `model.py` of each served model, which Triton's Python backend calls."""

import json
import sys
from pathlib import Path
from typing import Any

import triton_python_backend_utils as triton


class TritonPythonModel:
    """One instance; the server starts a process for each."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        # The backend's interpreter finds the installed packages, but not the folder of this project.
        sys.path.append(config["parameters"]["source"]["string_value"])
        from serving.instance import Instance

        self.instance = Instance(Path(__file__).parent, config, args["model_instance_name"])

    def execute(self, requests: list[Any]) -> list[Any]:
        from serving.tensors import as_array, as_tensor

        pixels = [as_array(triton.get_input_tensor_by_name(request, "pixels")) for request in requests]
        return [
            triton.InferenceResponse([as_tensor(triton, "logits", logits)])
            for logits in self.instance.answers(pixels)
        ]

    def finalize(self) -> None:
        self.instance.close()
