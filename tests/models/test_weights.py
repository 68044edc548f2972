"""Weight files: broken, foreign and misfitting ones are named with the remedy."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from workbench.errors import WeightsError
from workbench.models import load_backbone
from workbench.models.weights import State, read_state, state_hash
from workbench.storage import write_json

SIZES = {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 8, "image_size": 32}
IMAGE = torch.randn(1, 6, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return load_backbone("prithvi", **SIZES).state_dict()


def features(weights: object) -> Tensor:
    with torch.no_grad():
        return load_backbone("prithvi", weights=weights, **SIZES).eval()(IMAGE)[-1]


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "nested.ckpt", "half.pt"])
def test_every_kind_of_file_gives_the_same_features(
    name: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if "nested" in name else state, path)
    assert torch.equal(features(path), features(state))
    assert torch.equal(features(str(path)), features(state))


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_file_overwritten_later_does_not_change_the_model(
    name: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / name
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    loaded = read_state(path)
    with open(path, "r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_float16_weights_become_float32(state: State, tmp_path: Path) -> None:
    save_file({name: tensor.half() for name, tensor in state.items()}, tmp_path / "h.safetensors")
    model = load_backbone("prithvi", weights=tmp_path / "h.safetensors", **SIZES)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_weights_are_not_drawn_at_random_first(state: State) -> None:
    before = torch.get_rng_state()
    load_backbone("prithvi", weights=state, **SIZES)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_leaves_the_given_state_dict_alone(state: State) -> None:
    model = load_backbone("prithvi", weights=state, **SIZES)
    before = state["norm.bias"].clone()
    with torch.no_grad():
        model.norm.bias.add_(1)
    assert torch.equal(state["norm.bias"], before)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_truncated_file_is_named_with_its_size(name: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / name
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=rf"{name} \([\d,]+ bytes\) is not a whole weight file"):
        read_state(path)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(100), b"<html>404</html>"])
def test_a_foreign_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"is not a whole weight file.*Download or copy it again"
    ):
        read_state(tmp_path / name)


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


def test_a_file_that_would_run_code_is_not_opened(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": state, "callbacks": _Evil()}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"holds more than a model: it calls \w+\.mkdir"):
        read_state(tmp_path / "model.pt")
    assert not (tmp_path / "harm").exists()


def test_what_a_trainer_keeps_beside_the_tensors_is_never_made(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("lightning.fabric")
    monkeypatch.setitem(sys.modules, "lightning", types.ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.fabric", module)
    attributes = type("AttributeDict", (dict,), {"__module__": "lightning.fabric"})
    module.AttributeDict = attributes  # type: ignore[attr-defined]
    told = attributes(model_size="base", metadata_path=Path("configs/metadata.yaml"), lr=5e-6)
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": state, "epoch": 7, "hyper_parameters": told,
                "callbacks": {"ModelCheckpoint": {"best": np.float64(0.5)}}}, path)  # fmt: skip
    monkeypatch.delitem(sys.modules, "lightning.fabric")
    assert torch.equal(features(path), features(state))


def test_a_missing_file_is_named_with_the_alternatives(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"No weight file at .*nowhere.pt.*weights='hub'"):
        load_backbone("prithvi", weights=tmp_path / "nowhere.pt", **SIZES)


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="holds a list, not a state dict"):
        read_state(tmp_path / "list.pt")
    torch.save({"a": torch.zeros(1), "lr": 0.1}, tmp_path / "mixed.pt")
    with pytest.raises(WeightsError, match="lr are not tensors"):
        read_state(tmp_path / "mixed.pt")


def test_missing_unexpected_and_misshaped_tensors_are_all_listed(state: State) -> None:
    wrong = {name: tensor for name, tensor in state.items() if name != "norm.bias"}
    wrong["head.weight"] = torch.zeros(2)
    wrong["norm.weight"] = torch.zeros(5)
    with pytest.raises(WeightsError) as error:
        load_backbone("prithvi", weights=wrong, **SIZES)
    said = str(error.value)
    assert "1 missing: norm.bias" in said
    assert "1 unexpected: head.weight" in said
    assert "1 of another shape: norm.weight (5,) instead of (32,)" in said


def test_long_lists_are_cut_and_counted(state: State) -> None:
    with pytest.raises(WeightsError, match=r"24 missing: .* and 16 more"):
        load_backbone("prithvi", weights=state, **{**SIZES, "depth": 4})


def test_the_hash_is_of_values_and_not_of_the_image_size(state: State) -> None:
    small = load_backbone("prithvi", weights=state, **SIZES)
    large = load_backbone("prithvi", weights=state, **{**SIZES, "image_size": 64})
    assert small.weights_hash() == large.weights_hash()
    assert state_hash(small) != state_hash(large)
    with torch.no_grad():
        small.norm.bias[3] += 1e-6
    assert small.weights_hash() != large.weights_hash()


def test_an_index_joins_the_files_beside_it(state: State, tmp_path: Path) -> None:
    halves = dict(list(state.items())[::2]), dict(list(state.items())[1::2])
    names = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    for name, half in zip(names, halves, strict=True):
        save_file({key: tensor.contiguous() for key, tensor in half.items()}, tmp_path / name)
    index = tmp_path / "model.safetensors.index.json"
    where = {key: name for name, half in zip(names, halves, strict=True) for key in half}
    write_json(index, {"metadata": {}, "weight_map": where})
    joined = load_backbone("prithvi", weights=index, **SIZES).state_dict()
    assert all(torch.equal(joined[name], tensor) for name, tensor in state.items())
    (tmp_path / names[1]).unlink()
    with pytest.raises(WeightsError, match=r"No weight file at .*00002-of-00002"):
        read_state(index)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not an index of weight files"),
        ("[]", "is not an index of weight files"),
        ('{"weight_map": {"a": "../elsewhere.safetensors"}}', "do not lie beside it: ../elsewhere"),
    ],
)
def test_what_is_no_index_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(WeightsError, match=said):
        read_state(tmp_path / "model.safetensors.index.json")


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".bin"])
def test_checkpoints_of_every_suffix_and_wrapper_are_read(
    wrapper: str, suffix: str, state: State, tmp_path: Path
) -> None:
    torch.save({wrapper: state, "epoch": 3}, tmp_path / f"model{suffix}")
    read = read_state(tmp_path / f"model{suffix}")
    assert list(read) == list(state)
