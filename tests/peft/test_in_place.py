"""Methods that train weights of the backbone itself: which ones, and what they save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from workbench.errors import RecipeError, WeightsError
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone
from workbench.peft import BitFit, LastBlocks, Method, NormTuning

Build = Callable[[str], Backbone]
FILE = "adapter_model.safetensors"


def trained(options: Method, backbone: Backbone) -> set[str]:
    options.apply(backbone)
    return {name for name, weight in backbone.named_parameters() if weight.requires_grad}


def test_bitfit_trains_every_bias_and_nothing_else(small: Build) -> None:
    backbone = small("prithvi")
    assert trained(BitFit(), backbone) == {
        name for name, _ in backbone.named_parameters() if name.endswith(".bias")
    }


def test_bitfits_size_on_the_100_m_model() -> None:
    # A block's biases: 3 D of qkv, D, 4 D and D of the other layers, 2 D of the norms: 11 D.
    # The patch embedding and the last norm have D each.
    facts = BACKBONES["prithvi_eo_v1_100"]
    with torch.device("meta"):
        backbone = FAMILIES["prithvi"](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        adapter = BitFit().apply(backbone)
    assert sum(weight.numel() for weight in adapter.trainable_parameters()) == (11 * 12 + 2) * 768


def test_norm_tuning_trains_every_normalisation_layer(small: Build) -> None:
    names = trained(NormTuning(), small("prithvi"))
    assert len(names) == 2 * (2 * 4 + 1)
    assert all("norm" in name for name in names)


def test_norm_tuning_saves_the_statistics_that_moved(small: Build, tmp_path: Path) -> None:
    backbone = small("unet_encoder")
    adapter = NormTuning().apply(backbone)
    backbone.train()(torch.randn(2, 6, 32, 32))
    adapter.save(tmp_path)
    saved = load_file(tmp_path / FILE)
    assert {name.rpartition(".")[2] for name in saved} == {
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    again = small("unet_encoder")
    NormTuning().apply(again).load(tmp_path)
    image = torch.randn(1, 6, 32, 32)
    with torch.no_grad():
        assert all(map(torch.equal, again.eval()(image), backbone.eval()(image)))


@pytest.mark.parametrize("n", [1, 3])
def test_last_blocks_are_the_last_with_the_norm_behind_them(n: int, small: Build) -> None:
    names = trained(LastBlocks(n), small("prithvi"))
    assert {name.split(".")[1] for name in names if name.startswith("blocks.")} == {
        str(index) for index in range(4 - n, 4)
    }
    assert {name for name in names if not name.startswith("blocks.")} == {
        "norm.weight", "norm.bias",
    }  # fmt: skip


def test_only_what_trains_is_saved(small: Build, tmp_path: Path) -> None:
    backbone = small("prithvi")
    names = trained(LastBlocks(1), backbone)
    LastBlocks(1).apply(backbone).save(tmp_path)
    assert set(load_file(tmp_path / FILE)) == names


def test_more_blocks_than_there_are_is_refused(small: Build) -> None:
    with pytest.raises(RecipeError, match=r"'prithvi': it has 4 blocks, fewer than n=5\."):
        LastBlocks(5).apply(small("prithvi"))


def test_last_blocks_reads_well_without_the_name() -> None:
    assert LastBlocks(3) == LastBlocks(n=3)
    assert repr(LastBlocks(3)) == "LastBlocks(n=3)"
    assert LastBlocks(3).but(n=1) == LastBlocks(1)


def test_a_network_without_blocks_is_pointed_at_norm_tuning(small: Build) -> None:
    with pytest.raises(RecipeError, match=r"train with NormTuning.*'norm_tuning'"):
        BitFit().apply(small("unet_encoder"))
    with pytest.raises(RecipeError, match=r"it has no transformer blocks"):
        LastBlocks().apply(small("unet_encoder"))


def test_files_of_another_method_are_refused(small: Build, tmp_path: Path) -> None:
    BitFit().apply(small("prithvi")).save(tmp_path)
    with pytest.raises(WeightsError, match=r"belongs to another adapter.*Check options"):
        NormTuning().apply(small("prithvi")).load(tmp_path)
