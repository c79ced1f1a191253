"""Kept models: the same outputs as fresh ones, and nothing but whole files of ours is ever believed."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from backends import registry
from backends.artefact_key import NOT_IN_THE_MODEL, artefact_key, source_digest
from backends.base import BackendError
from backends.compilation import Compilation, compile_model
from backends.model_cache import LEFTOVER_S, Entry, ModelCache, UnusableEntry, open_cache
from measurement.settings import Settings, resolve

ROOT = Path(__file__).parents[2]
NAME, KEY = "resnet18-openvino", "0123456789abcdef" * 4
PARTS = st.dictionaries(st.sampled_from(["model.xml", "model.bin", "a/b.so"]), st.binary(max_size=300))


def settings(backend: str = "openvino", **flags: object) -> Settings:
    flags = {"data": "generated", "micro_batch_size": 2, "threads": 1, **flags}
    return resolve(flags, None, "cpu", backend)[0]


class TestFolder:
    @given(PARTS, st.lists(st.text(max_size=20), max_size=3))
    def test_what_is_written_is_read(self, artefact: dict[str, bytes], warnings: list[str]) -> None:
        entry = Entry(artefact, tuple(warnings))
        with tempfile.TemporaryDirectory() as folder:
            cache = ModelCache(Path(folder))
            assert cache.read(NAME, KEY) is None
            cache.write(NAME, KEY, entry)
            assert cache.read(NAME, KEY) == entry

    @given(st.data())
    def test_a_changed_or_cut_file_never_gives_another_model(self, data: st.DataObject) -> None:
        entry = Entry({"model.xml": b"<net/>" * 9, "model.bin": bytes(range(200))}, ("a warning",))
        with tempfile.TemporaryDirectory() as folder:
            cache = ModelCache(Path(folder))
            cache.write(NAME, KEY, entry)
            path = cache.path(NAME, KEY)
            content = bytearray(path.read_bytes())
            position = data.draw(st.integers(0, len(content) - 1))
            path.write_bytes(content[:position])
            with pytest.raises(UnusableEntry):
                cache.read(NAME, KEY)
            content[position] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content)
            try:
                found = cache.read(NAME, KEY)
            except UnusableEntry:
                return
            assert found is not None  # a date in the archive, or a letter of the warning, was changed
            assert found.artefact == entry.artefact

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"not ours at all" * 1000])
    def test_a_foreign_file_is_distinguished_from_ours(self, content: bytes, tmp_path: Path) -> None:
        cache = ModelCache(tmp_path)
        cache.path(NAME, KEY).write_bytes(content)
        with pytest.raises(UnusableEntry):
            cache.read(NAME, KEY)

    def test_a_file_under_the_name_of_another_key_is_not_believed(self, tmp_path: Path) -> None:
        cache, other = ModelCache(tmp_path), KEY[:-1] + "0"
        cache.write(NAME, other, Entry({}, ()))
        assert cache.path(NAME, other) == cache.path(NAME, KEY)  # the name holds the beginning of the key
        with pytest.raises(UnusableEntry, match="belongs to another model or format"):
            cache.read(NAME, KEY)

    @pytest.mark.processes
    def test_readers_see_whole_files_while_two_processes_write(self, tmp_path: Path) -> None:
        write = (
            "import sys; from pathlib import Path; from backends.model_cache import Entry, ModelCache\n"
            "for _ in range(25):\n"
            f"    entry = Entry({{'model.bin': sys.argv[2].encode() * 300_000}}, ())\n"
            f"    ModelCache(Path(sys.argv[1])).write({NAME!r}, {KEY!r}, entry)"
        )
        writers = [
            subprocess.Popen([sys.executable, "-c", write, str(tmp_path), letter], cwd=ROOT)
            for letter in "ab"
        ]
        cache, seen = ModelCache(tmp_path), set()
        while any(writer.poll() is None for writer in writers):
            if entry := cache.read(NAME, KEY):
                assert len(set(entry.artefact["model.bin"])) == 1
                seen.add(entry.artefact["model.bin"][0])
        assert [writer.returncode for writer in writers] == [0, 0]
        assert seen
        assert list(tmp_path.iterdir()) == [cache.path(NAME, KEY)]

    def test_what_a_killed_writer_left_behind_is_removed_and_a_working_ones_file_is_not(
        self, tmp_path: Path
    ) -> None:
        old, fresh = tmp_path / ".old.partial", tmp_path / ".fresh.partial"
        for path in (old, fresh):
            path.write_bytes(b"half")
        past_s = time.time() - 2 * LEFTOVER_S
        os.utime(old, (past_s, past_s))
        open_cache(tmp_path)
        assert not old.exists()
        assert fresh.exists()

    @pytest.mark.parametrize("place", ["file/cache", "file"])
    def test_a_folder_that_cannot_be_written_to_is_refused(self, place: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(BackendError, match=r"--model-cache-path .*cannot be written to .*give a folder"):
            open_cache(tmp_path / place)


class TestKey:
    example = np.zeros((2, 3, 32, 32), np.float32)

    def key(self, changed: Settings, example: Any = None, **model: str) -> str:
        return artefact_key(changed, self.example if example is None else example, model)

    @pytest.mark.parametrize(
        "flags",
        [
            {"model": "resnet34"},
            {"micro_batch_size": 4},
            {"precision": "32.32"},
            {"norm_type": "group"},
            {"norm_eps": 0.1},
            {"normalization_location": "ipu"},
            {"eight_bit_io": True},
            {"efficientnet_group_dim": 16},
        ],
    )
    def test_whatever_changes_the_model_changes_the_key(self, flags: dict[str, object]) -> None:
        assert self.key(settings(**flags)) != self.key(settings())

    def test_shape_dtype_weights_and_code_are_in_the_key(self) -> None:
        plain = self.key(settings(), weights="a", code="b")
        assert self.key(settings(), self.example.astype(np.uint8), weights="a", code="b") != plain
        assert self.key(settings(), self.example[:1], weights="a", code="b") != plain
        assert self.key(settings(), weights="other", code="b") != plain
        assert self.key(settings(), weights="a", code="other") != plain

    def test_the_way_of_measuring_is_not_in_the_key(self) -> None:
        other = settings(iterations=7, warmup=3, device_iterations=4, threads=1, data="synthetic")
        assert self.key(other) == self.key(settings())
        assert self.key(replace(other, backend_requested="auto")) == self.key(other)
        assert artefact_key(other, self.example, {}, ("threads",)) != self.key(settings())

    def test_options_left_out_of_the_key_exist(self) -> None:
        assert {field.name for field in fields(Settings)} >= NOT_IN_THE_MODEL

    def test_the_digest_of_the_code_changes_with_the_code(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        code = tmp_path / "inner" / "surgery.py"
        code.write_text("a = 1\n")
        before = source_digest(tmp_path)
        assert source_digest(tmp_path) == before
        code.write_text("a = 2\n")
        assert source_digest(tmp_path) != before


@pytest.mark.engine
class TestCompilation:
    """`compile_model` with real engines and a small model."""

    pixels = np.random.default_rng(1).standard_normal((2, 3, 32, 32), np.float32)

    def compiled(self, model: nn.Module, asked: Settings, cache: ModelCache | None) -> Compilation:
        def build() -> tuple[nn.Module, tuple[str, ...]]:
            return copy.deepcopy(model), ("of the model",)

        return compile_model(registry.choose(asked.backend, "cpu"), build, self.pixels, asked, cache)

    def outputs(self, compiled: Compilation, asked: Settings) -> np.ndarray:
        call = compiled.executable.run([self.pixels] * asked.device_iterations)
        found = call.outputs.copy()
        compiled.executable.close()
        return found

    @pytest.mark.parametrize(
        ("backend", "precision", "device_iterations"),
        [("openvino", "32.32", 3), ("openvino", "16.16", 1), ("onnxruntime", "32.32", 3)],
    )
    def test_a_hit_gives_the_same_outputs_bit_for_bit_and_builds_nothing(
        self, backend: str, precision: str, device_iterations: int, small_model: nn.Module, tmp_path: Path
    ) -> None:
        asked = settings(backend, precision=precision, device_iterations=device_iterations)
        cache = open_cache(tmp_path)
        off = self.compiled(small_model, asked, None)
        miss = self.compiled(small_model, asked, cache)

        def forbidden() -> tuple[nn.Module, tuple[str, ...]]:
            raise AssertionError("built in spite of the cache")

        hit = compile_model(registry.choose(backend, "cpu"), forbidden, self.pixels, asked, cache)
        assert [run.model_cache for run in (off, miss, hit)] == ["off", "miss", "hit"]
        assert hit.warnings == miss.warnings == off.warnings == ("of the model",)
        assert hit.build_s == 0 < miss.build_s
        assert hit.executable.effective == miss.executable.effective == off.executable.effective
        expected = self.outputs(off, asked)
        np.testing.assert_array_equal(self.outputs(miss, asked), expected)
        np.testing.assert_array_equal(self.outputs(hit, asked), expected)

    def test_code_that_inductor_compiled_is_kept_and_gives_the_same_outputs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torch._inductor import config

        # It would try the compiler out again for each new folder, with each set of instructions that this CPU has.
        monkeypatch.setattr(config.cpp, "vec_isa_ok", True)
        asked, cache = settings("torch-compile"), open_cache(tmp_path)
        torch.manual_seed(0)
        one_kernel = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4), nn.Hardswish()).eval()
        miss = self.compiled(one_kernel, asked, cache)
        hit = self.compiled(one_kernel, asked, cache)
        assert [miss.model_cache, hit.model_cache] == ["miss", "hit"]
        np.testing.assert_array_equal(self.outputs(hit, asked), self.outputs(miss, asked))
        assert any(part.endswith(".so") for part in next(iter_entries(cache)).artefact)

    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
    def test_a_corrupt_file_is_ignored_with_one_warning_and_rewritten(
        self, backend: str, small_model: nn.Module, tmp_path: Path
    ) -> None:
        asked, cache = settings(backend), open_cache(tmp_path)
        expected = self.outputs(self.compiled(small_model, asked, cache), asked)
        (path,) = tmp_path.iterdir()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
        again = self.compiled(small_model, asked, cache)
        assert again.model_cache == "miss"
        assert [line for line in again.warnings if str(path) in line and "ignored" in line] == [
            again.warnings[-1]
        ]
        np.testing.assert_array_equal(self.outputs(again, asked), expected)
        assert self.compiled(small_model, asked, cache).model_cache == "hit"

    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
    def test_a_whole_file_that_the_engine_cannot_load_is_rewritten_too(
        self, backend: str, small_model: nn.Module, tmp_path: Path
    ) -> None:
        asked, cache = settings(backend), open_cache(tmp_path)
        key = artefact_key(asked, self.pixels, {})
        rubbish = dict.fromkeys(("model.xml", "model.bin", "model.onnx"), b"rubbish")
        cache.write(f"{asked.model}-{backend}", key, Entry(rubbish, ()))
        again = self.compiled(small_model, asked, cache)
        assert again.model_cache == "miss"
        assert f"{backend} cannot load it" in again.warnings[-1]
        assert self.compiled(small_model, asked, cache).model_cache == "hit"

    def test_a_folder_that_vanishes_costs_a_warning_and_not_the_run(
        self, small_model: nn.Module, tmp_path: Path
    ) -> None:
        cache = open_cache(tmp_path / "cache")
        cache.folder.rmdir()
        found = self.compiled(small_model, settings(), cache)
        assert found.model_cache == "miss"
        assert "could not be cached in --model-cache-path" in found.warnings[-1]

    def test_an_engine_that_exports_nothing_reports_that_the_cache_has_no_effect(
        self, small_model: nn.Module, tmp_path: Path
    ) -> None:
        found = self.compiled(small_model, settings("torch"), open_cache(tmp_path))
        assert found.model_cache == "off"
        assert "--model-cache-path has no effect with --backend torch" in found.warnings[-1]
        assert not list(tmp_path.iterdir())

    def test_different_models_do_not_meet(self, small_model: nn.Module, tmp_path: Path) -> None:
        cache, asked = open_cache(tmp_path), settings("onnxruntime")
        self.compiled(small_model, asked, cache)
        other = replace(asked, norm_eps=0.5)
        assert self.compiled(small_model, other, cache).model_cache == "miss"
        assert len(list(tmp_path.iterdir())) == 2


def iter_entries(cache: ModelCache) -> Any:
    for path in cache.folder.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            key = json.loads(archive.read("contents.json"))["key"]
        yield cache.read(path.stem.rpartition("-")[0], key)
