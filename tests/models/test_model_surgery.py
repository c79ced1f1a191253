"""Surgery: what changes in a model, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models import EfficientNetOptions, ModelError, NormOptions, build_model
from models.surgery import list_layers, normalize_in_model, pad_input_channels, replace_norms, split

FAMILIES = ["resnet18", "mobilenet", "mobilenet-v3-small", "efficientnet-lite0"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def _model(name: str) -> nn.Module:
    return build_model(name, weights="random").module


@cache
def _group_model(name: str, group_dim: int = 1, expand_ratio: int = 6) -> nn.Module:
    return build_model(
        name,
        weights="random",
        norm=NormOptions("group", eps=1e-3, num_groups=4),
        efficientnet=EfficientNetOptions(expand_ratio, group_dim),
    ).module


def _eight_bit_images(size: int = 64, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (2, channels, size, size), dtype=torch.uint8, generator=generator)


def _normalized(images: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return (images / 255 - mean) / std


def _run(module: nn.Module, *inputs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return module(*inputs)


def _through(stages: list[nn.Module], images: torch.Tensor) -> torch.Tensor:
    values: tuple[torch.Tensor, ...] = (images,)
    for stage in stages:
        with torch.inference_mode():
            result = stage(*values)
        values = result if isinstance(result, tuple) else (result,)
    (logits,) = values
    return logits


# Where the first layer's sums are formed in another order: roundings differ, and grow through the layers.
REORDERED = 1e-4


def _assert_equal(actual: torch.Tensor, expected: torch.Tensor, relative: float = 1e-5) -> None:
    assert (actual - expected).abs().max() <= relative * expected.abs().max()


@pytest.mark.engine
@pytest.mark.parametrize("name", FAMILIES)
def test_normalising_in_the_model_equals_normalising_before_it(name: str) -> None:
    images = _eight_bit_images()
    expected = _run(_model(name), _normalized(images))
    _assert_equal(
        _run(normalize_in_model(_model(name), MEAN, STD, eight_bit=True), images), expected, REORDERED
    )
    _assert_equal(
        _run(normalize_in_model(_model(name), MEAN, STD, eight_bit=False), images / 255),
        expected,
        REORDERED,
    )


@pytest.mark.slow
def test_a_normalising_model_computes_in_the_type_it_is_moved_to() -> None:
    module = normalize_in_model(_model("resnet18"), MEAN, STD, eight_bit=True)
    expected = _run(module, _eight_bit_images())
    assert _run(module.double(), _eight_bit_images()).dtype == torch.float64
    logits = _run(module.bfloat16(), _eight_bit_images())
    module.float()
    assert logits.dtype == torch.bfloat16
    _assert_equal(logits.float(), expected, relative=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_fourth_channel_has_no_influence(name: str) -> None:
    images = _normalized(_eight_bit_images())
    expected = _run(_model(name), images)
    padded = pad_input_channels(_model(name))
    fourth = torch.full_like(images[:, :1], 7.0)
    _assert_equal(_run(padded, torch.cat([images, fourth], dim=1)), expected, REORDERED)


@pytest.mark.slow
def test_padding_and_normalising_can_be_done_in_either_order() -> None:
    images = _eight_bit_images(channels=4)
    expected = _run(_model("resnet18"), _normalized(images[:, :3]))
    normalized = normalize_in_model(_model("resnet18"), MEAN, STD, eight_bit=True)
    _assert_equal(_run(pad_input_channels(normalized), images), expected, REORDERED)
    padded = pad_input_channels(_model("resnet18"))
    _assert_equal(_run(normalize_in_model(padded, MEAN, STD, eight_bit=True), images), expected, REORDERED)


def test_padding_twice_is_refused() -> None:
    with pytest.raises(ModelError, match=r"--input-image-padding: the first convolution, conv1, takes 4"):
        pad_input_channels(pad_input_channels(_model("resnet18")))


@pytest.mark.parametrize(
    "operation",
    [
        pad_input_channels,
        lambda module: normalize_in_model(module, MEAN, STD, eight_bit=True),
        lambda module: replace_norms(module, NormOptions("group", eps=0.5)),
        lambda module: replace_norms(module, NormOptions("batch", eps=0.5)),
        lambda module: split(module, ["layer2"])[0],
    ],
)
def test_the_given_model_is_left_alone_and_its_weights_are_shared(
    operation: Callable[[nn.Module], nn.Module],
) -> None:
    module = _model("resnet18")
    images = _normalized(_eight_bit_images())
    names, expected = list(module.state_dict()), _run(module, images)
    changed = operation(module)
    assert list(module.state_dict()) == names
    assert torch.equal(_run(module, images), expected)
    weights = {parameter.data_ptr() for parameter in module.parameters()}
    assert any(parameter.data_ptr() in weights for parameter in changed.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_group_norms_stand_where_batch_norms_stood(name: str) -> None:
    batch = [layer for layer in _model(name).modules() if isinstance(layer, nn.BatchNorm2d)]
    module = replace_norms(_model(name), NormOptions("group", eps=0.01, num_groups=8))
    group = [layer for layer in module.modules() if isinstance(layer, nn.GroupNorm)]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())
    assert [layer.num_channels for layer in group] == [layer.num_features for layer in batch]
    assert {(layer.num_groups, layer.eps) for layer in group} == {(8, 0.01)}
    assert torch.isfinite(_run(module, _normalized(_eight_bit_images()))).all()


def test_a_fused_activation_survives_every_kind_of_norm() -> None:
    relu6_count = sum(isinstance(layer, nn.ReLU6) for layer in _model("efficientnet-lite0").modules())
    for kind in ("batch", "group", "none"):
        module = replace_norms(_model("efficientnet-lite0"), NormOptions(kind, num_groups=8))  # type: ignore[arg-type]
        assert sum(isinstance(layer, nn.ReLU6) for layer in module.modules()) == relu6_count


@pytest.mark.engine
@pytest.mark.parametrize("name", ["resnet152", "mobilenet"])
def test_a_model_without_norms_computes_ordinary_numbers(name: str) -> None:
    module = build_model(name, weights="random", norm=NormOptions("none")).module
    assert not any(isinstance(layer, nn.BatchNorm2d | nn.GroupNorm) for layer in module.modules())
    logits = _run(module.bfloat16(), _normalized(_eight_bit_images()).bfloat16())
    assert 1e-4 < logits.std() < 1e3


@pytest.mark.slow
def test_a_group_count_that_does_not_divide_names_the_layer_and_what_fits() -> None:
    with pytest.raises(
        ModelError, match=r"--norm-num-groups 32: .* the 16 channels of layer .*: 1, 2, 4, 8\."
    ):
        replace_norms(_model("efficientnet-b0"), NormOptions("group"))


@pytest.mark.slow
@given(num_groups=st.integers(1, 80))
@settings(max_examples=25)
def test_a_group_count_is_either_used_everywhere_or_refused(num_groups: int) -> None:
    channels = {
        layer.num_features for layer in _model("resnet18").modules() if isinstance(layer, nn.BatchNorm2d)
    }
    options = NormOptions("group", num_groups=num_groups)
    if all(count % num_groups == 0 for count in channels):
        module = replace_norms(_model("resnet18"), options)
        groups = {layer.num_groups for layer in module.modules() if isinstance(layer, nn.GroupNorm)}
        assert groups == {num_groups}
    else:
        with pytest.raises(ModelError, match=f"--norm-num-groups {num_groups}: does not divide"):
            replace_norms(_model("resnet18"), options)


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (NormOptions("layer"), "--norm-type layer"),  # type: ignore[arg-type]
        (NormOptions(eps=0.0), "--norm-eps 0"),
        (NormOptions(eps=float("nan")), "--norm-eps nan"),
        (NormOptions("group", num_groups=0), "--norm-num-groups 0"),
        (NormOptions(momentum=1.5), "--batchnorm-momentum 1.5"),
    ],
)
def test_norm_options_out_of_range_are_refused(options: NormOptions, flag: str) -> None:
    with pytest.raises(ModelError, match=flag):
        replace_norms(_model("resnet18"), options)


@pytest.mark.parametrize(
    ("norm", "flag"),
    [
        (NormOptions("group"), "--norm-type group"),
        (NormOptions(eps=1e-3), "--norm-eps 0.001"),
        (NormOptions(momentum=0.2), "--batchnorm-momentum 0.2"),
    ],
)
def test_a_model_without_batch_norms_has_nothing_to_change(norm: NormOptions, flag: str) -> None:
    with pytest.raises(ModelError, match=f"{flag}: this model has no batch normalisation"):
        build_model("timm/test_vit", weights="random", norm=norm)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-b4", "efficientnet-lite0"])
def test_our_efficientnet_stages_are_timms_at_the_default_options(name: str) -> None:
    import timm

    from models.catalogue import timm_name
    from models.efficientnet import build_efficientnet

    theirs = timm.create_model(timm_name(name)).eval()
    ours = build_efficientnet(timm_name(name), EfficientNetOptions()).eval()
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, v.shape) for k, v in theirs.state_dict().items()
    ]
    ours.load_state_dict(theirs.state_dict())
    images = _normalized(_eight_bit_images())
    _assert_equal(_run(ours, images), _run(theirs, images))


@pytest.mark.engine
@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-b4"])
def test_group_convolutions_have_the_asked_width_and_expansion(name: str) -> None:
    module = _group_model(name, group_dim=16, expand_ratio=4)
    for path, layer in module.named_modules():
        if path.endswith("conv_dw"):
            # The unexpanded blocks of B4's first stage have 24 channels, which 16 does not divide.
            expected = 8 if layer.in_channels == 24 else 16
            assert layer.in_channels // layer.groups == expected, path
        if path.endswith(".conv_pw") and not path.startswith("blocks.0."):
            assert layer.out_channels == 4 * layer.in_channels, path


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "resnet18",
            EfficientNetOptions(group_dim=16),
            "--efficientnet-group-dim 16: only for efficientnet-b0",
        ),
        ("resnet18", EfficientNetOptions(expand_ratio=4), "--efficientnet-expand-ratio 4: only for"),
        ("efficientnet-b0", EfficientNetOptions(5, 16), r"--efficientnet-group-dim 16: .* in blocks/\d/\d"),
        ("efficientnet-b0", EfficientNetOptions(expand_ratio=0), "--efficientnet-expand-ratio 0: expected"),
        ("efficientnet-b0", EfficientNetOptions(group_dim=-1), "--efficientnet-group-dim -1: expected"),
    ],
)
def test_efficientnet_options_that_cannot_be_built_are_refused(
    name: str, options: EfficientNetOptions, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build_model(name, efficientnet=options)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_cut_anywhere_computes_the_same(name: str) -> None:
    layers = list_layers(_model(name))
    images = _normalized(_eight_bit_images(32))
    expected = _run(_model(name), images)
    # Cuts at depths that fall inside residual blocks too, so that values are handed through stages.
    names = [layers[len(layers) * part // 5] for part in (1, 2, 3, 4)]
    stages = split(_model(name), names)
    assert len(stages) == 5
    _assert_equal(_through(stages, images), expected)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("timm/test_vit", "blocks/2"),
        ("timm/test_convnext", "stages/1"),
        ("timm/swin_tiny_patch4_window7_224", "layers/1"),
    ],
)
def test_transformers_are_cut_too(name: str, cut: str) -> None:
    built = build_model(name, weights="random")
    images = torch.rand(1, 3, built.input_spec.image_size, built.input_spec.image_size)
    _assert_equal(_through(split(built.module, [cut]), images), _run(built.module, images))


@cache
def _cut_subject() -> tuple[nn.Module, list[str], torch.Tensor, torch.Tensor]:
    module = normalize_in_model(_model("mobilenet-v3-small"), MEAN, STD, eight_bit=True)
    images = _eight_bit_images(32)
    return module, list_layers(module), images, _run(module, images)


@pytest.mark.engine
@given(data=st.data())
@settings(max_examples=15)
def test_any_set_of_cuts_keeps_the_outputs_or_is_refused(data: st.DataObject) -> None:
    module, layers, images, expected = _cut_subject()
    names = data.draw(st.lists(st.sampled_from(layers), min_size=1, max_size=6))
    try:
        stages = split(module, names)
    except ModelError as error:
        assert "the stage between them would be empty" in str(error)  # noqa: PT017
        return
    assert len(stages) == len(names) + 1
    _assert_equal(_through(stages, images), expected)


def test_a_cut_begins_a_stage_with_the_named_layer() -> None:
    first, second, third = split(_model("resnet18"), ["layer3/0", "layer2"])
    assert "layer1.1.conv2.weight" in first.state_dict()
    assert {key.split(".")[0] for key in second.state_dict()} == {"layer2"}
    assert {key.split(".")[0] for key in third.state_dict()} == {"layer3", "layer4", "fc"}


def test_layers_keep_their_names_behind_a_normalising_input() -> None:
    normalized = normalize_in_model(_model("resnet18"), MEAN, STD, eight_bit=True)
    assert {"layer3/0", "layer4/1/conv2", "fc"} <= set(list_layers(normalized))
    assert set(list_layers(_model("resnet18"))) < set(list_layers(normalized))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["layer5"], r"--pipeline-splits layer5: no such layer. Did you mean .*layer4.* --list-layers"),
        (["layer3.0"], r"--pipeline-splits layer3.0: no such layer. Did you mean .*layer3/0"),
        (["conv1"], "--pipeline-splits conv1: nothing is computed before it"),
        (["layer2", "layer2/0"], "--pipeline-splits layer2/0: starts at the same place as layer2"),
        (["layer2", "layer2"], "--pipeline-splits layer2: starts at the same place as layer2"),
    ],
)
def test_cuts_that_make_no_sense_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        split(_model("resnet18"), names)
