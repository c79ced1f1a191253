"""Real weights, real photographs: every engine sees the same things in them."""

from pathlib import Path

import numpy as np
import pytest

from backends import registry
from datasets.images import find_images
from datasets.preprocess import preprocess
from measurement.settings import resolve
from models import build_model, input_spec
from models.surgery import normalize_in_model
from tests.backends.conftest import BACKENDS

pytestmark = pytest.mark.engine

# Photograph -> the ImageNet classes that fit: both are cats for chelsea.
RIGHT = {
    "chelsea.jpg": (282, 285),
    "coffee.jpg": (967,),
    "rocket.jpg": (657,),
    "motorcycle_left.jpg": (665,),
    "china.jpg": (698,),
    "flower.jpg": (985,),
}


def test_all_backends_agree_on_the_class_of_every_photograph(photographs: Path) -> None:
    images, spec = find_images(photographs), input_spec("efficientnet-lite0")
    shown = [preprocess(path, spec.image_size, spec.interpolation) for path in images.paths]
    pixels = np.ascontiguousarray(np.stack(shown))
    flags = {"micro_batch_size": len(pixels), "precision": "32.32", "data": "generated", "eight_bit_io": True}
    logits = {}
    for name in BACKENDS:
        module = build_model("efficientnet-lite0", weights="pretrained").module
        model = normalize_in_model(module, spec.mean, spec.std, eight_bit=True)
        executable = registry.choose(name).compile(model, pixels, resolve(flags, None, "cpu", name)[0])
        logits[name] = executable.run([pixels]).outputs[0].copy()
        executable.close()
    classes = logits["torch"].argmax(axis=-1)
    for name in BACKENDS:
        assert logits[name] == pytest.approx(logits["torch"], rel=1e-4, abs=1e-3)
        assert logits[name].argmax(axis=-1).tolist() == classes.tolist()
    found = dict(zip([path.name for path in images.paths], classes, strict=True))
    right = [name for name, fitting in RIGHT.items() if found[name] in fitting]
    assert len(right) >= 5, {name: found[name] for name in RIGHT}
