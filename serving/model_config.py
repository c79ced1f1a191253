"""Writes a model's config.pbtxt, with the message type that the server reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from driver.data import pixel_dtype
from measurement.settings import Settings

if TYPE_CHECKING:
    from serving.served_model import ServedModel

INPUT, OUTPUT = "pixels", "logits"
_TYPES = {np.dtype(np.uint8): "TYPE_UINT8", np.dtype(np.float32): "TYPE_FP32"}
_PATHS = ("images", "labels", "model_cache_path", "profile_path")


def model_config(served: ServedModel, exports: Mapping[int, str], source: Path) -> str:
    """The text of config.pbtxt. `exports` are the cache's keys by batch size; `source` is our packages' folder."""
    from google.protobuf import text_format
    from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

    config = ModelConfig(name=served.name, backend="python", max_batch_size=served.settings.micro_batch_size)
    config.input.add(name=INPUT, data_type=_TYPES[pixel_dtype(served.settings)], dims=served.image_shape)
    config.output.add(name=OUTPUT, data_type="TYPE_FP32", dims=[served.pixels.num_classes])
    config.instance_group.add(kind=ModelInstanceGroup.KIND_CPU, count=served.instances)
    if served.dynamic_batching_us is not None:
        config.dynamic_batching.max_queue_delay_microseconds = served.dynamic_batching_us
        config.dynamic_batching.SetInParent()
    for key, value in parameters(served, exports, source).items():
        config.parameters[key].string_value = value
    return str(text_format.MessageToString(config))


def parameters(served: ServedModel, exports: Mapping[int, str], source: Path) -> dict[str, str]:
    """What an instance needs in addition to its input and output."""
    return {
        "source": str(source),
        "settings": settings_as_text(served.settings),
        "exports": json.dumps(exports),
        "instances": str(served.instances),
    }


def settings_as_text(settings: Settings) -> str:
    """JSON that `settings_from_text` reads."""
    return json.dumps(asdict(settings), default=str, sort_keys=True)


def settings_from_text(text: str) -> Settings:
    values: dict[str, Any] = json.loads(text)
    paths = {key: None if values[key] is None else Path(values[key]) for key in _PATHS}
    return Settings(**{**values, **paths, "pipeline_splits": tuple(values["pipeline_splits"])})
