"""Pre-training of the shipped backbone, and the file that came out of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.data.simulated.pool import open_pool, pool_scene
from workbench.data.simulated.spectra import NODATA
from workbench.models import load_backbone, pretraining
from workbench.models.masked_autoencoder import MaskedAutoencoder, patches_of
from workbench.models.pretraining import (
    Crops,
    Pretraining,
    check,
    compressed,
    encoder_state,
    pretrain,
    statistics_of,
    visible_patches,
)

SHIPPED = Path(pretraining.__file__).parent / "pretrained"
TINY = Pretraining(
    num_scenes=2, num_checks=1, steps=8, batch_size=4, crop=32, precision="fp32", learning_rate=3e-3
)


@pytest.fixture(scope="module")
def pool():
    return np.stack([pool_scene(0, index, side=64) for index in range(2)])


def small_model() -> MaskedAutoencoder:
    torch.manual_seed(0)
    encoder = load_backbone(
        "workbench_tiny", weights="random", embed_dim=48, depth=1, num_heads=3, image_size=32
    )
    return MaskedAutoencoder(encoder, dim=32, depth=1)


def trained(pool, recipe=TINY):
    model = small_model()
    crops = Crops(pool, statistics_of(pool))
    losses = [loss for _, loss in pretrain(model, crops, recipe)]
    return model, losses


def test_a_few_steps_reduce_the_loss(pool):
    _, losses = trained(pool, replace(TINY, steps=25))
    assert len(losses) == 25
    assert np.mean(losses[-5:]) < np.mean(losses[:3])


def test_the_same_seed_gives_the_same_weights(pool):
    first, losses = trained(pool)
    again, same = trained(pool)
    assert losses == same
    for name, tensor in encoder_state(first).items():
        assert torch.equal(tensor, encoder_state(again)[name]), name
    assert trained(pool, replace(TINY, seed=1))[1] != losses


def test_a_model_is_checked_against_those_that_know_nothing(pool):
    model, _ = trained(pool)
    losses = check(model, Crops(pool, statistics_of(pool)), TINY, batches=2)
    assert set(losses) == {"model", "scene", "average"}
    assert 0 < losses["scene"] < 1.3
    assert 0 < losses["average"] < 1.3


def test_hidden_patches_cannot_be_seen(pool):
    model = small_model().eval()
    image = torch.randn(2, 6, 32, 32)
    keep, hidden = visible_patches(2, 16, 0.75, torch.Generator().manual_seed(0))
    assert keep.shape == (2, 4)
    assert hidden.sum(1).tolist() == [12, 12]
    spoiled = image.clone()
    for chip in range(2):
        for patch in hidden[chip].nonzero().ravel().tolist():
            top, left = 8 * (patch // 4), 8 * (patch % 4)
            spoiled[chip, :, top : top + 8, left : left + 8] = 99.0
    torch.testing.assert_close(model(image, keep), model(spoiled, keep))


def test_patches_run_in_raster_order():
    image = torch.arange(2 * 16 * 16.0).reshape(1, 2, 16, 16)
    pieces = patches_of(image, 8)
    assert pieces.shape == (1, 4, 128)
    expected = image[0, :, :8, 8:].permute(1, 2, 0).reshape(-1)
    torch.testing.assert_close(pieces[0, 1], expected)


def test_patches_with_nodata_are_not_painted(pool):
    cut = pool[:1].copy()
    cut[:, :, 20:30, 20:30] = NODATA
    crops = Crops(cut, statistics_of(cut))
    batch = crops.draw(np.random.default_rng(0), batch=1, side=64, patch=8)
    assert (~batch.whole).sum() == 4
    assert batch.image.isfinite().all()
    assert batch.target.isfinite().all()
    known = batch.target[batch.whole]
    assert abs(float(known.mean())) < 0.1
    assert abs(float(known.std()) - 1) < 0.1


def test_logarithms_weigh_ratios_of_dark_surfaces_like_those_of_bright_ones():
    dark, bright = (compressed(torch.tensor([r, 2 * r])).diff() for r in (0.2, 0.4))
    assert torch.allclose(dark, bright, rtol=0.05)
    assert compressed(torch.zeros(1)).isfinite().all()


def test_nodata_is_in_no_statistic(pool):
    cut = pool.copy()
    cut[:, :, :20] = NODATA
    for some in (pool, cut):
        found = statistics_of(some)
        bands = [b[b != NODATA].astype(np.float64) / 1e4 for b in some.swapaxes(0, 1)]
        torch.testing.assert_close(found.mean, torch.tensor([b.mean() for b in bands]).float())
        torch.testing.assert_close(found.std, torch.tensor([b.std() for b in bands]).float())


def test_a_pool_is_made_once_and_the_same_again(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    seen: list[tuple[int, int]] = []
    pool = open_pool(2, seed=3, workers=2, progress=lambda *counts: seen.append(counts))
    assert seen == [(1, 2), (2, 2)]
    np.testing.assert_array_equal(pool[1], pool_scene(3, 1))
    open_pool(2, seed=3, progress=lambda *counts: pytest.fail("made again"))
    assert [p.suffix for p in tmp_path.rglob("*") if p.is_file()] == [".npy"]


def test_the_shipped_file_is_the_encoder_in_half_precision():
    path = SHIPPED / "workbench_tiny.safetensors"
    assert path.stat().st_size <= 8_000_000
    state = load_file(path)
    model = load_backbone("workbench_tiny", weights="random")
    expected = {k: v.shape for k, v in model.state_dict().items() if k != "pos_embed"}
    assert {k: v.shape for k, v in state.items()} == expected
    assert all(v.dtype == torch.float16 and v.isfinite().all() for v in state.values())


def test_the_shipped_card_tells_what_the_figures_say():
    figures = json.loads((SHIPPED / "workbench_tiny.json").read_text())
    card = (SHIPPED / "workbench_tiny.md").read_text()
    assert figures["bands"] == ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    assert figures["recipe"] == json.loads(json.dumps(vars(Pretraining())))
    losses = figures["held_back_loss"]
    assert losses["model"] < 0.9 * losses["scene"]
    assert losses["model"] < 0.9 * losses["average"]
    assert f"{losses['model']:.3f}" in card
    assert "share a simulator" in card
    assert all(0 < value < 1 for value in (*figures["mean"], *figures["std"]))


def test_shipped_weights_are_the_default():
    model = load_backbone("workbench_tiny")
    assert model.pretrained
    state = load_file(SHIPPED / "workbench_tiny.safetensors")
    torch.testing.assert_close(model.norm.weight, state["norm.weight"].float())
    assert model.mean is not None
