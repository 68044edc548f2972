"""Backbones and decoders of TerraTorch's checkpoints: every tensor in its place, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.assembly.terratorch.checkpoints import (
    imported,
    lightning,
    linear_logits,
    logits,
    needs_parity,
    reference,
    tensors_of,
    whole,
)
from workbench.assembly.terratorch.importing import _name
from workbench.assembly.terratorch.parts import Parts, decoder_of, sizes_of, split
from workbench.assembly.terratorch.reading import Said
from workbench.errors import RecipeError, WeightsError
from workbench.models.decoders import DECODERS
from workbench.runs import list_runs

pytestmark = needs_parity


def test_published_sizes_are_known_by_their_names() -> None:
    for name in ("prithvi_eo_v1_100", "prithvi_eo_v2_300_tl", "prithvi_eo_v2_600_tl", "clay_v1"):
        listed = tensors_of(f"{name.replace('clay_v1', 'clay_v1_base')}.txt")
        state = {key.removeprefix("clay_encoder."): tensor for key, tensor in listed.items()}
        assert _name(sizes_of(Parts(backbone=state), Said())) == name


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


@pytest.mark.parametrize(("change", "message"), [
    ({"encoder.spm.stem.0.weight": torch.zeros(3)}, "adapter that is not imported: 1 of "),
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


def test_several_frames_are_told_by_the_decoders_channels(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T3")
    state = whole(ref["state_dict"])
    state["decoder.conv.weight"] = state["decoder.conv.weight"].repeat(3, 1, 1, 1)
    run = imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4})
    expected = linear_logits(state, ref["prepared"][-1])
    torch.testing.assert_close(logits(run, ref["x"]), expected, rtol=0, atol=1e-4)


def test_a_linear_decoder_without_a_head_is_one_layer(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T1")
    state = {k: value for k, value in whole(ref["state_dict"]).items() if "head" not in k}
    run = imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4})
    expected = torch.nn.functional.conv_transpose2d(
        ref["prepared"][-1], state["decoder.conv.weight"], state["decoder.conv.bias"], stride=16
    )
    torch.testing.assert_close(logits(run, ref["x"]), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "value"), [
    ("decoder_align_corners", False), ("decoder_in_index", 0), ("backbone_padding", "constant"),
    ("rescale", False),
])  # fmt: skip
def test_what_tensors_cannot_tell_is_refused_where_the_configuration_does(
    name: str, value: object, tmp_path: Path
) -> None:
    ref = reference("full_UNetDecoder")
    path = lightning(tmp_path, ref["state_dict"])
    with pytest.raises(RecipeError, match=f"{name}={value!r} is not imported; only "):
        imported(path, tmp_path, config={**ref["cfg"], name: value})
