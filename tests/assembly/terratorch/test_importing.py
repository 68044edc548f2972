"""TerraTorch's checkpoints as runs: the reference's logits, in their units, anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from tests.assembly.terratorch.checkpoints import (
    CLOSE,
    clay_state,
    config,
    imported,
    lightning,
    linear_logits,
    logits,
    lora_config,
    lora_state,
    needs_parity,
    reference,
    whole,
)
from workbench.assembly import load_model
from workbench.data import Dataset
from workbench.errors import BandError, LabelError, RecipeError, RunExistsError, SplitError
from workbench.evaluation import evaluate
from workbench.prediction import predict
from workbench.runs import list_runs, open_run

pytestmark = needs_parity


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


def test_an_imported_run_can_be_moved(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    run = imported(lightning(tmp_path, lora_state(ref)), tmp_path, config=lora_config(ref))
    before = logits(run, ref["x"])
    moved = run.folder.rename(tmp_path / "moved")
    (tmp_path / "best-epoch=07.ckpt").unlink()
    assert torch.equal(logits(open_run(moved), ref["x"]), before)


def test_clay_is_imported_with_the_wavelengths_it_was_given(tmp_path: Path) -> None:
    ref, state = clay_state()
    run = imported(lightning(tmp_path, state), tmp_path, config=ref["cfg"])
    feature = ref["features_default"][-1][:, 1:].transpose(1, 2).unflatten(2, (8, 8))
    expected = torch.nn.functional.conv2d(
        torch.nn.functional.conv_transpose2d(
            feature, state["decoder.conv.weight"], state["decoder.conv.bias"], stride=8),
        state["head.head.2.weight"], state["head.head.2.bias"])
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
