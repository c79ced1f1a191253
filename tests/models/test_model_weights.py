"""Which weights a built model has: random, packaged, or from a file."""

from __future__ import annotations

import argparse
import contextlib
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from models import (
    EfficientNetOptions,
    ModelError,
    NormOptions,
    build_model,
    find_weights,
    input_with,
    model_names,
    weights_digest,
)
from models.catalogue import timm_name
from models.checkpoint_file import read_checkpoint

SMALL = "mobilenet-v3-small"


def _logits(module: nn.Module, size: int = 64, batch: int = 2) -> torch.Tensor:
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return module(images)


@pytest.fixture(scope="module")
def small() -> nn.Module:
    return build_model(SMALL, weights="random").module


@pytest.mark.engine
@pytest.mark.parametrize("name", model_names())
def test_random_weights_keep_every_activation_ordinary_in_bfloat16(name: str) -> None:
    built = build_model(name, weights="random")
    extremes: list[float] = []

    def look(_: nn.Module, __: object, output: torch.Tensor) -> None:
        extremes.append(output.abs().max().item())

    for layer in built.module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(look)
    logits = built.module.bfloat16()(torch.rand(1, 3, 64, 64).bfloat16())

    assert logits.shape == (1, 1000)
    assert torch.isfinite(logits).all()
    # Within float16's normal range, so that devices without bfloat16 compute ordinary numbers too.
    assert max(extremes) < 6e4
    assert min(extremes) > 6e-5
    assert logits.std() > 1e-4


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_leaves_the_generator_alone(small: nn.Module) -> None:
    before = torch.random.get_rng_state()
    again = build_model(SMALL, weights="random").module
    other = build_model(SMALL, weights="random", seed=1).module
    assert torch.equal(before, torch.random.get_rng_state())
    torch.testing.assert_close(_logits(again), _logits(small))
    assert not torch.allclose(_logits(other), _logits(small), rtol=0.1)


def test_a_built_model_is_ready_for_inference(small: nn.Module) -> None:
    assert not any(layer.training for layer in small.modules())
    assert {parameter.dtype for parameter in small.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in small.parameters())


@pytest.mark.slow
def test_packaged_weights_are_found_without_a_hub_and_know_an_espresso() -> None:
    from skimage import data
    from torchvision.transforms import v2

    built = build_model("efficientnet-lite0", weights="pretrained")
    spec = built.input_spec
    prepare = v2.Compose(
        [
            v2.Resize(spec.image_size * 256 // 224, antialias=True),
            v2.CenterCrop(spec.image_size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(spec.mean, spec.std),
        ]
    )
    image = prepare(torch.from_numpy(data.coffee()).permute(2, 0, 1))
    assert (built.weights, built.warnings) == ("pretrained", ())
    assert built.module(image[None]).argmax().item() == 967


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"norm": NormOptions("group", num_groups=4)}, "--norm-type group"),
        ({"norm": NormOptions("none")}, "--norm-type none"),
        ({"efficientnet": EfficientNetOptions(group_dim=16)}, "--efficientnet-group-dim 16"),
        ({"efficientnet": EfficientNetOptions(expand_ratio=4)}, "--efficientnet-expand-ratio 4"),
    ],
)
def test_a_changed_architecture_gets_random_weights_and_one_warning(
    options: dict[str, object], flag: str
) -> None:
    built = build_model("efficientnet-lite0", **options)  # type: ignore[arg-type]
    assert built.weights == "random"
    (warning,) = built.warnings
    assert flag in warning
    assert "\n" not in warning
    with pytest.raises(ModelError, match=f"--weights pretrained: .*{flag}"):
        build_model("efficientnet-lite0", weights="pretrained", **options)  # type: ignore[arg-type]


def test_another_epsilon_than_the_weights_were_trained_with_is_reported() -> None:
    built = build_model("efficientnet-lite0", norm=NormOptions(eps=1e-5))
    assert built.weights == "pretrained"
    assert "--norm-eps 1e-05" in built.warnings[0]
    assert {norm.eps for norm in built.module.modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-5}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_saved_model_is_read_back(tmp_path: Path, small: nn.Module, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(build_model(SMALL, weights="random", seed=5).module.state_dict(), file)

    built = build_model(SMALL, weights=str(file))
    assert built.weights == f"file:mine{suffix}"
    torch.testing.assert_close(
        _logits(built.module), _logits(build_model(SMALL, weights="random", seed=5).module)
    )
    assert not torch.allclose(_logits(built.module), _logits(small), rtol=0.1)


@pytest.mark.slow
def test_a_group_norm_model_is_read_back(tmp_path: Path) -> None:
    norm = NormOptions("group", num_groups=8)
    original = build_model(SMALL, weights="random", norm=norm, seed=3).module
    torch.save(original.state_dict(), tmp_path / "g.pth")
    built = build_model(SMALL, weights=str(tmp_path / "g.pth"), norm=norm)
    torch.testing.assert_close(_logits(built.module), _logits(original))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("resnet18", "resnet18"),
        ("mobilenet", "mobilenet_v2"),
        ("mobilenet-v3-small", "mobilenet_v3_small"),
        ("efficientnet-b0", "efficientnet_b0"),
    ],
)
def test_torchvision_weights_compute_what_torchvision_computes(
    tmp_path: Path, name: str, architecture: str
) -> None:
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, architecture)().eval()
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            # Small variances make a wrong epsilon visible.
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(1e-3, 0.1)
    wrapped = {
        "epoch": 3,
        "state_dict": {f"module.{key}": value for key, value in theirs.state_dict().items()},
    }
    torch.save(wrapped, tmp_path / "theirs.pth")

    ours = build_model(name, weights=str(tmp_path / "theirs.pth")).module
    expected = _logits(theirs)
    torch.testing.assert_close(_logits(ours) / expected.abs().max(), expected / expected.abs().max())


def test_missing_and_unexpected_keys_are_listed(tmp_path: Path, small: nn.Module) -> None:
    weights = dict(small.state_dict())
    weights["classifier.scale"] = weights.pop("classifier.weight")
    torch.save(weights, tmp_path / "odd.pth")
    with pytest.raises(
        ModelError, match=r"missing \(1\): classifier\.weight; unexpected \(1\): classifier\.sc"
    ):
        build_model(SMALL, weights=str(tmp_path / "odd.pth"))


def _numpy_1(file: Path, content: object) -> None:
    """Saves as with numpy 1, whose scalars were in another module."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    assert b"numpy._core.multiarray" in buffer.getvalue()
    file.write_bytes(buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


@pytest.mark.parametrize("code", sorted(f"?{np.typecodes['AllInteger']}{np.typecodes['AllFloat']}"))
def test_numbers_of_numpy_in_any_version_and_type_are_harmless(tmp_path: Path, code: str) -> None:
    content = {"best": np.dtype(code).type(1), "state_dict": {"a.weight": torch.ones(2)}}
    torch.save(content, tmp_path / "new.pth")
    _numpy_1(tmp_path / "old.pth", content)
    for name in ("new.pth", "old.pth"):
        assert read_checkpoint(tmp_path / name)["best"] == 1  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "net.",
        "backbone.",
        "module._orig_mod.model.",
        "net.module.backbone.module.",
    ],
)
def test_prefixes_of_training_scripts_are_removed_in_any_order(
    tmp_path: Path, small: nn.Module, prefix: str
) -> None:
    torch.save({f"{prefix}{name}": tensor for name, tensor in small.state_dict().items()}, tmp_path / "w.pth")
    built = build_model(SMALL, weights=str(tmp_path / "w.pth"))
    torch.testing.assert_close(_logits(built.module), _logits(small))


def test_counters_of_thop_are_left_out_with_a_remark(tmp_path: Path, small: nn.Module) -> None:
    weights = dict(small.state_dict()) | {
        "total_ops": torch.zeros(1),
        "blocks.0.total_params": torch.zeros(1),
    }
    torch.save(
        {f"module.{name}" if "." in name else name: tensor for name, tensor in weights.items()},
        tmp_path / "w",
    )
    built = build_model(SMALL, weights=str(tmp_path / "w"))
    torch.testing.assert_close(_logits(built.module), _logits(small))
    (warning,) = built.warnings
    assert "ignores 2 counters of thop" in warning


@pytest.mark.slow
def test_of_weights_and_their_average_the_choice_is_reported_and_can_be_made(
    tmp_path: Path, small: nn.Module
) -> None:
    average = build_model(SMALL, weights="random", seed=5).module
    file = tmp_path / "both.pth"
    torch.save({"state_dict_ema": average.state_dict(), "state_dict": small.state_dict(), "epoch": 3}, file)
    built = build_model(SMALL, weights=str(file))
    torch.testing.assert_close(_logits(built.module), _logits(small))
    assert built.warnings == (
        f"--weights {file}: loads state_dict, and not state_dict_ema; --weights {file}:state_dict_ema chooses.",
    )
    chosen = build_model(SMALL, weights=f"{file}:state_dict_ema")
    torch.testing.assert_close(_logits(chosen.module), _logits(average))
    assert (chosen.weights, chosen.warnings) == ("file:both.pth:state_dict_ema", ())
    digests = {
        weights_digest(find_weights(SMALL, request), lambda file: file.name)
        for request in (str(file), f"{file}:state_dict_ema")
    }
    assert len(digests) == 2
    with pytest.raises(ModelError, match=r"both\.pth:ema: no such key.*state_dict_ema"):
        build_model(SMALL, weights=f"{file}:ema")


@pytest.mark.slow
def test_several_state_dicts_under_unusual_keys_are_chosen_by_key(tmp_path: Path, small: nn.Module) -> None:
    torch.save({"student": small.state_dict(), "teacher": small.state_dict()}, tmp_path / "two.pth")
    with pytest.raises(ModelError, match=r"student, teacher.*Choose one of them: --weights .*two\.pth:KEY"):
        build_model(SMALL, weights=str(tmp_path / "two.pth"))
    built = build_model(SMALL, weights=f"{tmp_path / 'two.pth'}:teacher")
    torch.testing.assert_close(_logits(built.module), _logits(small))


def test_a_pointer_of_git_lfs_is_named_as_one(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 97781949\n"
    (tmp_path / "model.safetensors").write_text(pointer)
    with pytest.raises(ModelError, match=r"model\.safetensors: a pointer of Git LFS.*git lfs pull"):
        build_model(SMALL, weights=str(tmp_path / "model.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ["resnet18", SMALL, "efficientnet-lite0"])
def test_a_model_that_was_tuned_to_other_classes_is_loaded_with_these(
    tmp_path: Path, name: str, suffix: str
) -> None:
    import timm

    torch.manual_seed(0)
    tuned = timm.create_model(timm_name(name), num_classes=10).eval()
    (save_file if suffix == ".safetensors" else torch.save)(tuned.state_dict(), tmp_path / f"tuned{suffix}")
    built = build_model(name, weights=str(tmp_path / f"tuned{suffix}"))
    torch.testing.assert_close(_logits(built.module), _logits(tuned))
    found = find_weights(name, str(tmp_path / f"tuned{suffix}"))
    assert built.input_spec.num_classes == input_with(name, found).num_classes == 10
    assert "the 10 classes of the file, not 1000" in built.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture"),
    [("resnet18", "resnet18"), ("mobilenet", "mobilenet_v2"), (SMALL, "mobilenet_v3_small")],
)
def test_so_is_one_of_torchvision(tmp_path: Path, name: str, architecture: str) -> None:
    tuned = getattr(torchvision.models, architecture)(num_classes=7).eval()
    torch.save(tuned.state_dict(), tmp_path / "tuned.pth")
    built = build_model(name, weights=str(tmp_path / "tuned.pth"))
    assert built.module(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, small: nn.Module) -> None:
    weights = dict(small.state_dict())
    weights["classifier.weight"] = weights["classifier.weight"][:10]
    torch.save(weights, tmp_path / "ten.pth")
    with pytest.raises(ModelError, match=r"classifier\.weight \(\(10, 1024\) instead of \(1000, 1024\)\)"):
        build_model(SMALL, weights=str(tmp_path / "ten.pth"))


@pytest.mark.slow
def test_torchvision_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.mobilenet_v2().state_dict(), tmp_path / "v2.pth")
    with pytest.raises(
        ModelError, match=r"v2\.pth: 262 tensors in the naming of torchvision, but .* has 210"
    ):
        build_model(SMALL, weights=str(tmp_path / "v2.pth"))


class _Mischief:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02", b"PK\x03\x04broken", bytes(4096)])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"junk{suffix}"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"--weights .*junk{suffix}: not a checkpoint"):
        build_model(SMALL, weights=str(file))


def test_the_message_about_junk_is_our_own_advice(tmp_path: Path) -> None:
    file = tmp_path / "readme.pth"
    file.write_text("# A page about something\n")
    with pytest.raises(ModelError) as refused:
        build_model(SMALL, weights=str(file))
    message = str(refused.value)
    assert "it begins with b'# A page" in message
    assert "torch.save(model.state_dict(), file)" in message
    assert "weights_only" not in message
    assert "\n" not in message


def test_a_pickled_whole_model_is_refused_by_the_names_of_what_it_holds(
    tmp_path: Path, small: nn.Module
) -> None:
    torch.save(small, tmp_path / "whole.pth")
    with pytest.raises(
        ModelError, match=r"not tensors \(.*timm\..*\), such as a whole pickled model"
    ) as refused:
        build_model(SMALL, weights=str(tmp_path / "whole.pth"))
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, small: nn.Module, suffix: str) -> None:
    file = tmp_path / f"cut{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(small.state_dict(), file)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"not a checkpoint that can be loaded safely: .*truncated"):
        build_model(SMALL, weights=str(file))


@pytest.mark.slow
def test_the_content_of_a_file_counts_and_not_the_end_of_its_name(tmp_path: Path, small: nn.Module) -> None:
    save_file(small.state_dict(), tmp_path / "a.pth")
    torch.save(small.state_dict(), tmp_path / "b.safetensors")
    torch.save(small.state_dict(), tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    for name in ("a.pth", "b.safetensors", "c.bin"):
        torch.testing.assert_close(
            _logits(build_model(SMALL, weights=str(tmp_path / name)).module), _logits(small)
        )


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda weights: {"epoch": 3, "args": argparse.Namespace(lr=0.1), "state_dict": weights},
        lambda weights: {"best": np.float64(0.7), "model": {"state_dict": weights}},
        lambda weights: {"net": weights, "optim": {"state": {0: {"momentum": torch.zeros(1)}}, "lr": 0.1}},
        lambda weights: {"model": {f"module.{key}": value for key, value in weights.items()}, "epoch": 1},
    ],
    ids=["arguments", "nested", "other-name", "data-parallel"],
)
def test_weights_are_found_in_what_training_scripts_save(
    tmp_path: Path, small: nn.Module, wrapped: Any
) -> None:
    optimizer = torch.optim.SGD(small.parameters(), lr=0.1)
    content = wrapped(small.state_dict()) | {"optimizer": optimizer.state_dict()}
    torch.save(content, tmp_path / "training.pth")
    built = build_model(SMALL, weights=str(tmp_path / "training.pth"))
    torch.testing.assert_close(_logits(built.module), _logits(small))


@cache
def _small_files() -> tuple[bytes, ...]:
    weights = {"a.weight": torch.arange(6.0), "b.bias": torch.ones(2, 2)}
    files = [io.BytesIO(), io.BytesIO()]
    torch.save(weights, files[0])
    torch.save({"state_dict": weights}, files[1], _use_new_zipfile_serialization=False)
    return files[0].getvalue(), files[1].getvalue(), save(weights)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(data.draw(st.sampled_from(_small_files())))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.getbasetemp() / "damaged.pth"
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelError):
        read_checkpoint(file)


def test_a_checkpoint_whose_directory_holds_no_text_is_refused(tmp_path: Path) -> None:
    content = _small_files()[0]
    name = content.rindex(b"archive/data.pkl")
    (tmp_path / "damaged.pth").write_bytes(content[:name] + b"\x80" + content[name + 1 :])
    with pytest.raises(ModelError, match="damaged"):
        read_checkpoint(tmp_path / "damaged.pth")


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"state_dict": _Mischief()}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="not a checkpoint that can be loaded safely"):
        build_model(SMALL, weights=str(tmp_path / "evil.pth"))


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(1)], torch.zeros(3)])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth: holds .*, not a state dict"):
        build_model(SMALL, weights=str(tmp_path / "other.pth"))


@pytest.mark.parametrize("weights", ["pretraind", "nowhere/w.pth", "."])
def test_a_word_that_is_no_choice_and_no_file_is_refused(weights: str) -> None:
    with pytest.raises(ModelError, match=rf"--weights {weights}: neither"):
        build_model(SMALL, weights=weights)


@pytest.mark.engine
def test_version_1_of_random_weights_are_these() -> None:
    """If this fails after a change of how they are made, raise the version in `models.weights.RANDOM_WEIGHTS`."""
    weights = build_model(SMALL, weights="random").module.state_dict()
    means = {"conv_stem.weight": 0.0914, "bn1.running_var": 1.1987, "classifier.weight": 0.0158}
    assert {key: float(weights[key].abs().mean()) for key in means} == pytest.approx(means, rel=0.01)
