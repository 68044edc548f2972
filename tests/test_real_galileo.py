"""Real weights on real pixels: Galileo nano on Sen1Floods11's chip of the flood in Spain.

The west half trains, a strip of 16 pixels is left out, the east half is the held-out region.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import rioxarray

import workbench as wb
from workbench.models.backbones import BACKBONES

pytestmark = pytest.mark.slow

SENTINEL_2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
HALVES = {"west": slice(0, 248), "east": slice(264, 512)}
RECIPE = wb.Recipe(backbone="galileo_nano", decoder="linear", epochs=10, batch_size=4,
                   normalization="backbone")  # fmt: skip
# mIoU on the east half; a constant map reaches 0.313, logistic regression on raw patches of 4
# pixels 0.804. LoRA and, with larger steps, the probe reach 0.75.
RECIPES = {
    "lora": (RECIPE.but(peft="lora"), 0.65),
    "linear_probe": (RECIPE.but(peft="linear_probe", epochs=20, learning_rate=1e-2), 0.7),
}


@pytest.fixture(scope="module")
def halves(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> wb.Split:
    folder = tmp_path_factory.mktemp("spain")
    for kind in ("S2Hand", "LabelHand"):
        path = shared / "real" / "sen1floods11_sample" / f"Spain_7370579_{kind}.tif"
        with rioxarray.open_rasterio(path) as chip:
            for half, columns in HALVES.items():
                chip.isel(x=columns).rio.to_raster(folder / f"{half}_{kind}.tif")
    chips = wb.Dataset.from_folder(
        str(folder / "*_S2Hand.tif"), str(folder / "*_LabelHand.tif"), bands=SENTINEL_2,
        classes=["land", "water"], region="{region}_S2Hand", chip_size=64, scale=1e-4)  # fmt: skip
    known = BACKBONES["galileo_nano"].bands
    return chips.with_bands(known).split(hold_out=["east"], fractions=(0.8, 0.2, 0))


@pytest.fixture
def downloaded(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay the real weights where the hub's library keeps what it downloaded."""
    source = BACKBONES["galileo_nano"].source
    assert source is not None
    snapshot = tmp_path / f"models--{source.repo.replace('/', '--')}" / "snapshots"
    file = snapshot / str(source.revision) / source.file
    file.parent.mkdir(parents=True)
    shutil.copy(shared / "real" / "galileo_nano" / "encoder.pt", file)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("method", RECIPES)
def test_galileo_maps_water_where_it_was_not_trained(halves, downloaded, method, tmp_path):
    recipe, floor = RECIPES[method]
    run = wb.fit(recipe, halves, name=method, root=tmp_path, device="cpu")
    miou = run.scores()["held_out"]["miou"]
    assert miou >= floor, f"{miou:.3f}"
    saved = sum(file.stat().st_size for file in (run.folder / "checkpoints/best").iterdir())
    assert saved < 2_000_000  # The backbone, 3.5 MB, is not inside.
