"""The diagram of a recipe: exact counts and sizes, and nothing downloaded for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench.assembly import Diagram, Model, describe, save_model
from workbench.assembly.shapes import Box, Drawing, Words, fitted
from workbench.errors import RecipeError
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.peft import METHODS, BitFit, LastBlocks, LoRA
from workbench.recipe import Recipe, SpectralIndex

Build = Callable[..., Model]


def parts(diagram: Diagram) -> dict[str, str]:
    return {part.name: part.state for part in diagram.parts}


PAIRS = [*((kind, "linear") for kind in METHODS), *(("lora", decoder) for decoder in DECODERS)]


@pytest.mark.parametrize(("kind", "decoder"), sorted(set(PAIRS)))
def test_counts_and_sizes_are_those_of_the_model_and_its_files(
    kind: str, decoder: str, build: Build, tmp_path: Path
) -> None:
    recipe = Recipe(peft=kind, decoder=decoder)
    said = describe(recipe)
    model = build(recipe)
    save_model(model, tmp_path)
    weights = list(model.parameters())
    assert said.total == sum(weight.numel() for weight in weights)
    assert said.trainable == sum(weight.numel() for weight in weights if weight.requires_grad)
    files = {path.name: path.stat().st_size for path in tmp_path.glob("*.safetensors")}
    assert said.checkpoint_bytes == sum(files.values())
    assert said.adapter_bytes == sum(files.values()) - files["segmenter.safetensors"]


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_is_drawn_without_its_weights(name: str) -> None:
    # Tests have no network: a download would fail.
    said = describe(Recipe(backbone=name, peft="linear_probe", decoder="linear"))
    frozen = [part.state for part in said.parts if part.name != "decoder"]
    assert set(frozen) == {"fixed", "frozen"}
    assert said.adapter_bytes == 0


def test_lora_of_the_300_m_model_is_less_than_40_megabytes_on_disk() -> None:
    said = describe(Recipe(backbone="prithvi_eo_v2_300", peft=LoRA(), decoder="linear"))
    assert said.adapter_bytes < said.checkpoint_bytes < 40e6
    assert parts(said)["blocks 0–23"] == "frozen + adapter"


def test_the_last_blocks_are_drawn_apart() -> None:
    assert parts(describe(Recipe(peft=LastBlocks(2)))) == {
        "image": "fixed", "embedding": "frozen", "blocks 0–3": "frozen", "blocks 4–5": "trained",
        "last norm": "trained", "neck": "trained", "decoder": "trained",
    }  # fmt: skip


def test_biases_are_a_part_of_their_blocks() -> None:
    assert parts(describe(Recipe(peft=BitFit())))["blocks 0–5"] == "partly trained"


def test_text_and_html_show_every_part_and_the_sizes() -> None:
    said = describe(Recipe(peft=LoRA(rank=4)))
    assert "frozen + adapter" in repr(said)
    assert "LoRA(rank=4) in q, v, fc1, fc2, 64.5 k parameters" in repr(said)
    assert "'unet' on blocks 1, 2, 4, 5" in repr(said)
    html = said._repr_html_()
    assert all(part.name in html for part in said.parts)
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    for shown in (repr(said), html):
        assert said.summary() in shown


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("vpt", "VPT() before every block"),
        ("vit_adapter", "ViTAdapter() beside the blocks"),
        ("earth_adapter", "EarthAdapter() behind every block"),
        ("ia3", "IA3() in k, v, fc2"),
    ],
)
def test_the_diagram_says_where_the_adapter_sits(kind: str, where: str) -> None:
    assert where in repr(describe(Recipe(peft=kind)))


def test_an_index_has_no_parameters() -> None:
    said = describe(SpectralIndex())
    assert (said.trainable, said.total, said.adapter_bytes) == (0, 0, 0)
    assert "GREEN and NIR_NARROW" in repr(said)


def test_more_classes_are_a_larger_decoder() -> None:
    recipe = Recipe(decoder="linear")
    two, five = describe(recipe), describe(recipe, classes=["a", "b", "c", "d", "e"])
    assert five.total - two.total == 3 * (192 * 8 * 8 + 1)


def test_a_misfit_is_refused_as_in_building() -> None:
    with pytest.raises(RecipeError, match=r"does not fit 'unet_encoder'.*Methods that fit: "):
        describe(Recipe(backbone="unet_encoder", peft="lora"))


def states(diagram: Diagram, block: str) -> dict[str, str]:
    part = next(part for part in diagram.parts if part.name == block)
    return {layer.name: layer.state for layer in part.layers}


@pytest.mark.parametrize("backbone", ["workbench_tiny", "clay_v1", "galileo_nano"])
def test_the_layers_of_a_block_say_where_lora_is(backbone: str) -> None:
    said = describe(Recipe(backbone=backbone, peft=LoRA(targets=("q", "fc2")), decoder="linear"))
    assert states(said, said.parts[2].name) == {
        "norm": "frozen", "q": "frozen + adapter", "k": "frozen", "v": "frozen",
        "proj": "frozen", "fc1": "frozen", "fc2": "frozen + adapter",
    }  # fmt: skip


def test_layers_count_what_their_blocks_count() -> None:
    said = describe(Recipe(peft=LoRA()))
    part = next(part for part in said.parts if part.pieces)
    for count in ("total", "trained", "added"):
        layers = sum(getattr(layer, count) for layer in part.layers)
        assert layers * len(part.pieces) == getattr(part, count)


def test_every_layer_of_a_block_has_biases_or_norms_that_train() -> None:
    assert set(states(describe(Recipe(peft="bitfit")), "blocks 0–5").values()) == {"partly trained"}
    norms = states(describe(Recipe(peft="norm_tuning")), "blocks 0–5")
    assert {name for name, state in norms.items() if state == "trained"} == {"norm"}


def test_added_modules_are_drawn_at_their_blocks() -> None:
    places = {
        kind: [(site.place, site.blocks) for site in describe(Recipe(peft=kind)).sites]
        for kind in ("vpt", "vit_adapter", "earth_adapter", "lora")
    }
    assert places == {
        "vpt": [("tokens", (0, 1, 2, 3, 4, 5))],
        "vit_adapter": [("beside", (0, 1)), ("beside", (2,)), ("beside", (3, 4)), ("beside", (5,))],
        "earth_adapter": [("behind", (0, 1, 2, 3)), ("behind", (4, 5))],
        "lora": [],
    }
    parts = describe(Recipe(peft="earth_adapter")).parts
    assert [part.pieces for part in parts if part.pieces] == [(0, 1, 2, 3), (4, 5)]


def test_a_network_of_timm_that_chooses_its_device_is_drawn_too() -> None:
    said = describe(Recipe(backbone="timm/vit_small_patch16_dinov3", peft="vpt", decoder="linear"))
    assert said.trainable < said.total / 10


@pytest.mark.parametrize("kind", METHODS)
def test_every_box_of_the_drawing_lies_on_its_page(kind: str) -> None:
    drawing = describe(Recipe(peft=kind)).drawing
    for box in drawing.shapes:
        if isinstance(box, Box):
            assert 0 <= box.x < box.x + box.width <= drawing.width
            assert 0 <= box.y < box.y + box.height <= drawing.height


def test_what_a_recipe_says_is_escaped_in_the_drawing() -> None:
    drawing = Drawing(100.0, 20.0)
    drawing.add(Words(0, 10, "<b>&"), Box(0, 0, 10, 10, "trained", tip="<i>"))
    assert "<b>" not in drawing.svg("<u>")
    assert "<i>" not in drawing.svg("<u>")
    assert "<u>" not in drawing.svg("<u>")


def test_long_words_are_cut_and_short_ones_are_not() -> None:
    assert fitted("trained", 100) == "trained"
    assert fitted("NIR_NARROW, SWIR_1", 60).endswith("…")


def test_drawing_leaves_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    for kind in METHODS:
        describe(Recipe(peft=kind))
        assert torch.equal(torch.get_rng_state(), before)


def test_what_is_no_recipe_is_told() -> None:
    with pytest.raises(RecipeError, match=r"takes a recipe, not 'lora': wb\.describe\(wb\.Recipe"):
        describe("lora")  # type: ignore[arg-type]
