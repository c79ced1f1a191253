"""The names, what they want as input, and how a wrong name is answered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from models import ModelError, input_spec, model_names
from models.catalogue import CATALOGUE, timm_name

NAMES = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50",
    "resnext101",
    "mobilenet",
    "mobilenet-v3-small",
    "mobilenet-v3-large",
    "efficientnet-b0",
    "efficientnet-b4",
    "efficientnet-lite0",
]


def test_the_thirteen_models_are_there() -> None:
    assert list(model_names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_table_agrees_with_timm(name: str) -> None:
    from timm.models import get_pretrained_cfg

    spec = input_spec(name)
    config = get_pretrained_cfg(CATALOGUE[name].timm_name)
    assert config is not None
    assert (spec.mean, spec.std, spec.num_classes) == (config.mean, config.std, config.num_classes)
    assert spec.interpolation == ("bilinear" if name == "efficientnet-lite0" else config.interpolation)
    # B4 runs at its paper's resolution, which lies between timm's for training and for testing.
    expected = 380 if name == "efficientnet-b4" else config.input_size[-1]
    assert spec.image_size == expected


def test_names_and_inputs_need_neither_torch_nor_timm() -> None:
    program = (
        "import sys, models\n"
        "for name in models.model_names(): models.input_spec(name)\n"
        "print(sorted({'torch', 'timm', 'huggingface_hub'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_model_is_answered_with_near_names() -> None:
    with pytest.raises(ModelError, match=r"--model efficientnet-b1: .*Did you mean .*efficientnet-b0"):
        input_spec("efficientnet-b1")


def test_any_timm_model_can_be_named() -> None:
    spec = input_spec("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert (spec.image_size, spec.mean, spec.num_classes) == (224, (0.5, 0.5, 0.5), 1000)


@pytest.mark.parametrize(
    "name",
    ["resnet50.a1_in1k", "hf-hub:timm/resnet50.a1_in1k", "hf_hub:timm/resnet50.a1_in1k"],
)
def test_the_names_that_timm_and_its_hub_use_are_resolved(name: str) -> None:
    assert timm_name(name) == "resnet50.a1_in1k"
    assert input_spec(name) == input_spec("timm/resnet50.a1_in1k")


@pytest.mark.parametrize("prefix", ["", "timm/", "hf-hub:timm/"])
def test_deprecated_names_of_timm_lead_to_their_models(prefix: str) -> None:
    assert timm_name(f"{prefix}tf_efficientnet_b0_ns") == "tf_efficientnet_b0.ns_jft_in1k"
    assert input_spec(f"{prefix}convnext_tiny_in22ft1k").image_size == 224


def test_a_model_of_others_on_the_hub_is_refused() -> None:
    with pytest.raises(ModelError, match=r"--model hf-hub:me/mine: .*timm/NAME"):
        timm_name("hf-hub:me/mine")


def test_a_misspelt_timm_model_is_answered_with_near_names() -> None:
    with pytest.raises(ModelError, match=r"--model timm/resnet5O: .*Did you mean .*resnet50"):
        input_spec("timm/resnet5O")


def test_an_unknown_timm_tag_is_answered_with_the_tags_there_are() -> None:
    with pytest.raises(ModelError, match=r"timm/resnet18\.mine: .*'mine'.*a1_in1k"):
        input_spec("timm/resnet18.mine")
