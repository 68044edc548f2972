"""TerraTorch's checkpoints as runs: the reference's logits, and nothing that is not understood."""

from __future__ import annotations

import enum
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.assembly import build_model, load_model, save_model
from workbench.assembly.terratorch import import_terratorch
from workbench.assembly.terratorch.importing import _name
from workbench.assembly.terratorch.parts import Parts, decoder_of, sizes_of, split
from workbench.assembly.terratorch.reading import Said
from workbench.data import Dataset
from workbench.errors import (
    BandError,
    LabelError,
    RecipeError,
    RunExistsError,
    SplitError,
    WeightsError,
)
from workbench.evaluation import evaluate
from workbench.models.decoders import DECODERS
from workbench.peft import METHODS
from workbench.prediction import predict
from workbench.recipe import Recipe
from workbench.runs import Run, list_runs, open_run

PARITY = SHARED / "parity"
pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason=NeedlessSkips.NO_SHARED)
CLOSE = {"rtol": 0, "atol": 1e-5}
PLAIN = ([0.0] * 6, [1.0] * 6)


def reference(name: str) -> dict[str, Any]:
    return torch.load(PARITY / f"{name}.pt", weights_only=True)


def lightning(folder: Path, state: dict[str, Tensor], **beside: Any) -> Path:
    """Write what Lightning's ModelCheckpoint writes."""
    path = folder / "best-epoch=07.ckpt"
    torch.save({
        "epoch": 7, "global_step": 100, "pytorch-lightning_version": "2.5.0", "loops": {},
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-4}]}], **beside,
    }, path)  # fmt: skip
    return path


def imported(path: Path, tmp_path: Path, **more: Any) -> Run:
    return import_terratorch(path, root=tmp_path / "runs",
                             **{"normalisation": PLAIN, **more})  # fmt: skip


def logits(run: Run, image: Tensor) -> Tensor:
    with torch.no_grad():
        return load_model(run, device="cpu")(image)


def config(ref: dict[str, Any]) -> dict[str, Any]:
    """What a configuration holds of the reference's model."""
    return {"model": {"init_args": {"model_args": {
        "backbone_num_heads": ref["cfg"]["num_heads"], "necks": ref["necks"],
    }}}}  # fmt: skip


@pytest.mark.parametrize("name", ["full_UNetDecoder", "full_FCNDecoder"])
def test_imported_models_give_the_references_logits(name: str, tmp_path: Path) -> None:
    ref = reference(name)
    path = lightning(tmp_path, ref["state_dict"])
    run = imported(path, tmp_path, config=config(ref), classes=["a", "b", "c"])
    for image, expected in (("x", "logits"), ("x_50x70", "logits_50x70")):
        torch.testing.assert_close(logits(run, ref[image]), ref[expected], **CLOSE)
    assert run.name == "best-epoch=07"
    assert run.state == "finished"
    assert [entry.name for entry in run.classes] == ["a", "b", "c"]
    assert run.recipe.peft.kind == "full"


def test_a_state_dict_alone_is_a_checkpoint_too(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    torch.save(ref["state_dict"], tmp_path / "model.pt")
    run = imported(tmp_path / "model.pt", tmp_path, config=ref["cfg"])
    torch.testing.assert_close(logits(run, ref["x"]), ref["logits"], **CLOSE)


def whole(encoder: dict[str, Tensor], last: Tensor | None = None) -> dict[str, Tensor]:
    """Give an encoder a linear decoder and a head, as TerraTorch names them."""
    generator = torch.Generator().manual_seed(3)
    dim = 96
    made = {
        "decoder.conv.weight": (dim, 2, 16, 16), "decoder.conv.bias": (2,),
        "head.head.2.weight": (2, 2, 1, 1), "head.head.2.bias": (2,),
    }  # fmt: skip
    rest = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in made.items()}
    return {**{f"encoder.{name}": tensor for name, tensor in encoder.items()}, **rest}


def linear_logits(state: dict[str, Tensor], feature: Tensor) -> Tensor:
    """What the reference computes behind the last block: two layers."""
    spread = torch.nn.functional.conv_transpose2d(
        feature, state["decoder.conv.weight"], state["decoder.conv.bias"], stride=16
    )
    return torch.nn.functional.conv2d(
        spread, state["head.head.2.weight"], state["head.head.2.bias"]
    )


def lora_state(ref: dict[str, Any]) -> dict[str, Tensor]:
    """Return the encoder's tensors with LoRA inside, under the names of `all_keys`."""
    state: dict[str, Tensor] = dict(ref["lora_state_dict"])
    for name in ref["all_keys"]:
        plain = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
        if ".qkv." in plain and "lora" not in plain:
            part = "qkv".index(plain.split("_linear")[0][-1])
            fused = plain.replace(f".{'qkv'[part]}_linear", "")
            state[name] = ref["base_state_dict"][fused].chunk(3)[part].clone()
        elif name not in state:
            state[name] = ref["base_state_dict"][plain]
    assert list(ref["all_keys"]) == [name for name in ref["all_keys"] if name in state]
    return whole(state)


def lora_config(ref: dict[str, Any]) -> dict[str, Any]:
    return {"model_args": {"backbone_num_heads": ref["cfg"]["num_heads"],
                           "peft_config": ref["peft_config"]}}  # fmt: skip


def test_lora_is_imported_as_lora(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    state = lora_state(ref)
    run = imported(lightning(tmp_path, state), tmp_path, config=lora_config(ref))
    feature = ref["features"][-1][:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    torch.testing.assert_close(
        logits(run, ref["x"]), linear_logits(state, feature), rtol=0, atol=1e-4
    )
    assert run.recipe.peft == METHODS["lora"](rank=4, alpha=16, dropout=0.1)
    best = run.folder / "checkpoints" / "best"
    assert not any(path.name == "backbone.safetensors" for path in best.iterdir())
    assert (best / "adapter_config.json").is_file()


def test_an_imported_run_can_be_moved(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    run = imported(lightning(tmp_path, lora_state(ref)), tmp_path, config=lora_config(ref))
    before = logits(run, ref["x"])
    moved = run.folder.rename(tmp_path / "moved")
    (tmp_path / "best-epoch=07.ckpt").unlink()
    assert torch.equal(logits(open_run(moved), ref["x"]), before)


def test_loras_alpha_comes_from_the_configuration_or_the_checkpoint(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    state, said = lora_state(ref), lora_config(ref)
    path = lightning(tmp_path, state)
    with pytest.raises(RecipeError, match="does not say LoRA's alpha"):
        imported(path, tmp_path, config={"num_heads": 4})
    assert not (tmp_path / "runs").exists()
    path = lightning(tmp_path, state, hyper_parameters={**said, "class_names": ["land", "water"]})
    run = imported(path, tmp_path)
    assert run.recipe.peft.alpha == 16
    assert [entry.name for entry in run.classes] == ["land", "water"]


def test_vpt_is_imported_as_vpt(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T1")
    generator = torch.Generator().manual_seed(1)
    prompts = {f"vpt_prompt_embeddings.{index}": torch.randn(1, 5, 96, generator=generator)
               for index in range(4)}  # fmt: skip
    state = whole({**ref["state_dict"], **prompts})
    run = imported(lightning(tmp_path, state), tmp_path,
                   config={"num_heads": 4, "backbone_vpt_dropout": 0.1})  # fmt: skip
    assert run.recipe.peft == METHODS["vpt"](tokens=5)
    model = load_model(run, device="cpu")
    for index in range(4):
        found = model.backbone.state_dict()[f"vpt_prompt_embeddings.{index}"]
        assert torch.equal(found, prompts[f"vpt_prompt_embeddings.{index}"])
    model.adapter.disable()
    with torch.no_grad():
        feature = ref["prepared"][-1]
        torch.testing.assert_close(model(ref["x"][:, :, 0] if ref["x"].ndim == 5 else ref["x"]),
                                   linear_logits(state, feature), rtol=0, atol=1e-4)  # fmt: skip


def clay_state() -> tuple[dict[str, Any], dict[str, Tensor]]:
    ref = reference("clay_small")
    shape = (48, 2, 8, 8)
    state = whole({f"clay_encoder.{name}": value for name, value in ref["state_dict"].items()})
    state["decoder.conv.weight"] = 0.1 * torch.randn(
        shape, generator=torch.Generator().manual_seed(2)
    )
    return ref, state


def test_clay_is_imported_with_the_wavelengths_it_was_given(tmp_path: Path) -> None:
    ref, state = clay_state()
    run = imported(lightning(tmp_path, state), tmp_path, config=ref["cfg"])
    feature = ref["features_default"][-1][:, 1:].transpose(1, 2).unflatten(2, (8, 8))
    expected = torch.nn.functional.conv2d(
        torch.nn.functional.conv_transpose2d(
            feature, state["decoder.conv.weight"], state["decoder.conv.bias"], stride=8),
        state["head.head.2.weight"], state["head.head.2.bias"])
    torch.testing.assert_close(logits(run, ref["x"]), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("peft", [
    METHODS["lora"](rank=2, alpha=8, targets=("q", "v", "proj", "fc2")), METHODS["vpt"](tokens=3),
    METHODS["lora"](rank=2, alpha=2, targets=("qkv", "fc1")), METHODS["full"](),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("family", ["prithvi", "clay"])
@pytest.mark.parametrize("decoder", ["upernet", "unet"])
def test_what_is_written_under_terratorchs_names_comes_back(
    family: str, peft: Any, decoder: str, tmp_path: Path
) -> None:
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8}
    sizes |= {"dim_head": 8} if family == "clay" else {}
    bands = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    options = {"channels": 8} if decoder == "upernet" else {"channels": [16, 8, 8, 4]}
    more = {"wavelengths_nm": [490, 560, 665, 864, 1610, 2200]} if family == "clay" else {}
    model = build_model(
        Recipe(backbone=family, peft=peft, decoder=decoder), classes=2, bands=bands, image_size=32,
        mean=[0] * 6, std=[1] * 6, architecture={**sizes, **more}, decoder_options=options,
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    inner = {"clay": "clay_encoder.", "prithvi": ""}[family]
    wrapped = "base_model.model." if peft.kind == "lora" else ""
    state = {}
    for name, tensor in model.backbone.state_dict().items():
        nested = "transformer." if family == "clay" and name.startswith("vpt") else ""
        state[f"encoder.{wrapped}{inner}{nested}{name}"] = tensor
    for name, tensor in model.decoder.state_dict().items():
        part, _, rest = name.partition(".")
        theirs = {"neck": f"neck.2.{rest}", "head": f"head.head.2.{rest}",
                  "stages": f"decoder.decoder.blocks.{rest}"}  # fmt: skip
        state[theirs.get(part, f"decoder.{name}")] = tensor
    said = {"num_heads": 2, "backbone_bands": bands, "img_size": 32, "lora_alpha": peft.alpha
            if peft.kind == "lora" else None, "vpt_dropout": 0.1}  # fmt: skip
    run = imported(lightning(tmp_path, state), tmp_path, config=said)
    assert run.recipe.peft == peft
    image = torch.rand(1, 6, 40, 33, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(logits(run, image), model(image), **CLOSE)


def test_a_freezing_configuration_makes_a_linear_probe(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T1")
    state = whole(ref["state_dict"])
    run = imported(lightning(tmp_path, state), tmp_path,
                   config={"num_heads": 4, "freeze_backbone": True})  # fmt: skip
    assert run.recipe.peft.kind == "linear_probe"
    image = ref["x"][:, :, 0] if ref["x"].ndim == 5 else ref["x"]
    torch.testing.assert_close(logits(run, image), linear_logits(state, ref["prepared"][-1]),
                               rtol=0, atol=1e-4)  # fmt: skip


def test_several_frames_are_told_by_the_decoders_channels(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T3")
    state = whole(ref["state_dict"])
    state["decoder.conv.weight"] = state["decoder.conv.weight"].repeat(3, 1, 1, 1)
    run = imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4})
    expected = linear_logits(state, ref["prepared"][-1])
    torch.testing.assert_close(logits(run, ref["x"]), expected, rtol=0, atol=1e-4)


def test_bands_that_the_name_does_not_have_come_back(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    state = lora_state(ref)
    key = "encoder.base_model.model.patch_embed.proj.weight"
    state[key] = state[key][:, [0, 2]]
    path = lightning(tmp_path, state)
    with pytest.raises(BandError, match="takes 2 bands; 6 are named"):
        imported(path, tmp_path, config=lora_config(ref))
    run = imported(path, tmp_path, config=lora_config(ref), bands=["VV", "VH"],
                   normalisation=([0, 0], [1, 1]))  # fmt: skip
    assert load_model(run, device="cpu").bands == ("VV", "VH")
    assert logits(run, ref["x"][:, [0, 2]]).shape == (2, 2, 64, 64)


def test_an_imported_run_predicts_a_raster_in_its_units(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    means, stds = [900.0] * 6, [400.0] * 6
    yaml = tmp_path / "config.yaml"
    yaml.write_text(f"""
model:
  init_args:
    model_args: {{backbone: prithvi, backbone_num_heads: 4, num_classes: 3,
      backbone_bands: [BLUE, GREEN, RED, NIR_NARROW, SWIR_1, SWIR_2]}}
    class_names: [land, water, cloud]
data:
  init_args: {{means: {means}, stds: {stds}, constant_scale: 0.5}}
""")
    run = imported(lightning(tmp_path, ref["state_dict"]), tmp_path, config=yaml,
                   normalisation=None)  # fmt: skip
    stored = np.random.default_rng(0).integers(200, 4000, (6, 64, 64)).astype(np.int16)
    scene = tmp_path / "scene.tif"
    with rasterio.open(scene, "w", driver="GTiff", width=64, height=64, count=6, dtype="int16",
                       crs="EPSG:32633", transform=Affine(30, 0, 3e5, 0, -30, 5e6)) as file:
        file.write(stored)
        file.descriptions = run.bands
    predicted = predict(run, scene, device="cpu")
    image = (torch.from_numpy(stored.astype(np.float32)) * 0.5 - 900) / 400
    plain = imported(tmp_path / "best-epoch=07.ckpt", tmp_path, name="plain", config=yaml)
    expected = logits(plain, image[None]).argmax(1)[0].numpy()
    assert (predicted["class"].values == expected).mean() > 0.999
    assert predicted["class"].attrs["flag_meanings"] == "land water cloud"


def test_without_a_normalisation_it_is_said(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    path = lightning(tmp_path, ref["state_dict"])
    with pytest.warns(UserWarning, match="No normalisation: the model takes its images as they"):
        imported(path, tmp_path, config=ref["cfg"], normalisation=None)
    with pytest.raises(RunExistsError):
        imported(path, tmp_path, config=ref["cfg"])
    with pytest.raises(RecipeError, match=r"\[1, 2\] is not one number for each of BLUE"):
        imported(path, tmp_path, config=ref["cfg"], name="b", normalisation=([1, 2], [1, 2]))
    with pytest.raises(LabelError, match="tells 3 classes apart; 2 are named"):
        imported(path, tmp_path, config=ref["cfg"], name="c", classes=["land", "water"])


def test_an_imported_run_is_listed_and_says_that_its_data_are_not_known(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    run = imported(lightning(tmp_path, ref["state_dict"]), tmp_path, config=ref["cfg"])
    assert "finished" in repr(run)
    assert "best-epoch=07" in repr(list_runs(tmp_path / "runs"))
    assert run.info.name == "unknown (imported from best-epoch=07.ckpt)"
    with pytest.raises(SplitError, match="which chips it was trained on is not known"):
        _ = run.split


@pytest.mark.parametrize(("change", "message"), [
    ({"encoder.spm.stem.0.weight": torch.zeros(3)}, "1 unexpected: spm.stem.0.weight"),
    ({"teacher.weight": torch.zeros(3)}, "holds tensors such as teacher.weight; expected"),
    ({"encoder.blocks.0.attn.lora_A.default.weight": torch.zeros(2, 64)}, "LoRA's alpha"),
    ({"decoder.aspp.weight": torch.zeros(3)}, "1 unexpected: aspp.weight"),
])  # fmt: skip
def test_what_is_not_understood_is_refused(
    change: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    ref = reference("full_UNetDecoder")
    path = lightning(tmp_path, {**ref["state_dict"], **change})
    with pytest.raises((WeightsError, RecipeError), match=message):
        imported(path, tmp_path, config=ref["cfg"])
    assert list_runs(tmp_path / "runs")[:]._runs == []


def test_another_decoder_and_other_blocks_are_refused(tmp_path: Path) -> None:
    ref = reference("full_UNetDecoder")
    state = {name: value for name, value in ref["state_dict"].items() if "decoder" not in name}
    path = lightning(tmp_path, {**state, "decoder.aspp.weight": torch.zeros(3)})
    with pytest.raises(RecipeError, match=r"The decoder ASPPHead is not imported .*LinearDecoder"):
        imported(path, tmp_path, config={"num_heads": 4, "decoder": "ASPPHead"})
    path = lightning(tmp_path, ref["state_dict"])
    with pytest.raises(RecipeError, match=r"fed from blocks \[0, 1, 1, 3\]; here it takes"):
        imported(path, tmp_path, config={"num_heads": 4, "indices": [0, 1, 1, 3]})
    with pytest.raises(RecipeError, match="how many heads attention has"):
        imported(path, tmp_path)


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ref = reference("full_UNetDecoder")
    path = lightning(tmp_path, ref["state_dict"], hyper_parameters=_Evil())
    with pytest.raises(WeightsError, match=r"holds more than a model: it calls \w+\.mkdir"):
        imported(path, tmp_path, config=ref["cfg"])
    assert not (tmp_path / "harm").exists()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"not a whole (checkpoint|weight file)"):
        imported(path, tmp_path, config=ref["cfg"])


def test_what_lightning_keeps_beside_the_tensors_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("terratorch.datasets")
    monkeypatch.setitem(sys.modules, "terratorch", types.ModuleType("terratorch"))
    monkeypatch.setitem(sys.modules, "terratorch.datasets", module)
    bands = enum.Enum("HLSBands", {"BLUE": "BLUE", "RED": "RED"}, module="terratorch.datasets")
    module.HLSBands = bands  # type: ignore[attr-defined]
    attributes = type("AttributeDict", (dict,), {"__module__": "terratorch.datasets"})
    module.AttributeDict = attributes  # type: ignore[attr-defined]
    ref = reference("full_UNetDecoder")
    given = attributes(num_heads=4, first=bands.BLUE, path=Path("/data"))
    path = lightning(tmp_path, ref["state_dict"], hyper_parameters=given,
                     callbacks={"EarlyStopping": {"best": np.float64(0.25), "wait": 3}})
    monkeypatch.delitem(sys.modules, "terratorch.datasets")
    run = imported(path, tmp_path)
    torch.testing.assert_close(logits(run, ref["x"]), ref["logits"], **CLOSE)


def test_published_sizes_are_known_by_their_names() -> None:
    for name in ("prithvi_eo_v1_100", "prithvi_eo_v2_300_tl", "prithvi_eo_v2_600_tl", "clay_v1"):
        listed = tensors_of(f"{name.replace('clay_v1', 'clay_v1_base')}.txt")
        state = {key.removeprefix("clay_encoder."): tensor for key, tensor in listed.items()}
        assert _name(sizes_of(Parts(backbone=state), Said())) == name


def tensors_of(file: str) -> dict[str, Tensor]:
    """Return the tensors that a file of `keys` lists, without memory."""
    state = {}
    for line in (PARITY / "keys" / file).read_text().splitlines():
        if not line.startswith("#"):
            key, shape = line.split("\t")[:2]
            sides = [int(side) for side in shape.strip("() ").split(",") if side.strip()]
            state[key] = torch.empty(sides, device="meta")
    return state


@pytest.mark.parametrize(("decoder", "name"), [
    ("UNetDecoder", "unet"), ("FCNDecoder", "fcn"), ("UperNetDecoder", "upernet"),
    ("LinearDecoder", "linear"),
])  # fmt: skip
def test_every_tensor_of_the_four_decoders_finds_its_place(decoder: str, name: str) -> None:
    lora = "lora_" if decoder == "UNetDecoder" else ""
    parts = split(tensors_of(f"_full_model_prithvi_v1_100_{lora}{decoder}.txt"), "here")
    found, options, tensors = decoder_of(parts, Said())
    assert found == name
    with torch.device("meta"):
        ours = DECODERS[name]((768,) * 12, (16,) * 12, 2, **options)
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
        key: tensor.shape for key, tensor in tensors.items()}


def test_an_imported_run_is_scored_on_the_split_that_is_given(
    tiny_floods: Dataset, tmp_path: Path
) -> None:
    ref = reference("prithvi_small_T1")
    run = imported(lightning(tmp_path, whole(ref["state_dict"])), tmp_path,
                   config={"num_heads": 4}, classes=["land", "water"], scale=1e-4)  # fmt: skip
    scores = evaluate(run, tiny_floods.split(hold_out=["bolivia"]), device="cpu")
    assert len(scores.chips)
    assert scores.trainable_parameters is None
    with pytest.raises(SplitError, match=r"Give the split to use: wb\.evaluate\(run, dataset"):
        evaluate(run, device="cpu")


def test_metadata_of_an_imported_model_is_asked_for(tmp_path: Path) -> None:
    ref = reference("prithvi_small_TL_T1")
    state = whole(ref["state_dict"])
    run = imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4}, metadata="both")
    model = load_model(run, device="cpu")
    with torch.no_grad():
        image = ref["x"][:, :, 0] if ref["x"].ndim == 5 else ref["x"]
        found = model(image, ref["temporal_coords"], ref["location_coords"])
    feature = ref["features_both"][-1][:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    torch.testing.assert_close(found, linear_logits(state, feature), rtol=0, atol=1e-4)


def test_sizes_without_a_name_are_rebuilt(tmp_path: Path) -> None:
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8}
    model = build_model(
        Recipe(backbone="prithvi", peft="full", decoder="fcn"), classes=2, bands=["RED", "BLUE"],
        mean=[0, 0], std=[1, 1], architecture=sizes, decoder_options={"channels": 8, "num_convs": 3}
    )
    (tmp_path / "model").mkdir()
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model", device="cpu")
    assert loaded.description.architecture == sizes
    image = torch.rand(1, 2, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(image), model.eval()(image))
