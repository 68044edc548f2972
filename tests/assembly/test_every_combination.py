"""Every backbone family with every method that fits, every decoder and all metadata it encodes.

Each is built, runs, takes one training step and is saved; a fresh process opens all of them and
gives the same logits bit for bit.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.peft.conftest import SMALL, build_small
from workbench.assembly import build_model, save_model
from workbench.models.backbones import FAMILIES
from workbench.models.loading import encodings
from workbench.models.segmenter import Segmenter
from workbench.peft import fitting_methods
from workbench.recipe import Recipe

pytestmark = pytest.mark.slow

DECODERS: dict[str, dict[str, Any]] = {
    "linear": {}, "fcn": {"channels": 8, "num_convs": 3}, "upernet": {"channels": 8},
    "unet": {"channels": (16, 8, 8, 8)},
}  # fmt: skip
TOLD = {("time",): ["none", "time"], ("time", "location"): ["none", "time", "location", "both"]}
BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
# No multiple of any patch: padding is part of what has to come back.
IMAGE = torch.rand(2, 6, 30, 35, generator=torch.Generator().manual_seed(1))
LABEL = torch.randint(0, 3, (2, 30, 35), generator=torch.Generator().manual_seed(2))
DATES, LONLAT = ["2018-02-15", "2019-09-18"], [(-65.0, -13.5), (0.5, 38.5)]

OPENS_ALL = """
import sys
from pathlib import Path
import torch
from workbench.assembly import load_model

torch.set_num_threads(1)
for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
    given, expected = torch.load(folder / "expected.pt", weights_only=True)
    with torch.no_grad():
        found = load_model(folder, device="cpu")(*given)
    print(folder.name, "same" if torch.equal(found, expected) else "DIFFERS")
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread, as the fresh process does: others round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def combinations(family: str) -> list[Recipe]:
    methods = fitting_methods(build_small(family))
    return [
        Recipe(backbone=family, peft=method, decoder=decoder, metadata=told)
        for method in methods
        for decoder in DECODERS
        for told in TOLD.get(encodings(family), ["none"])
        # What metadata does has nothing to do with the decoder: one of them shows it.
        if told == "none" or decoder == "linear"
    ]


def built(recipe: Recipe) -> Segmenter:
    sizes = {name: value for name, value in SMALL[recipe.backbone].items()
             if name not in ("bands", "image_size")}  # fmt: skip
    model = build_model(
        recipe, classes=3, bands=BANDS, image_size=32, mean=[0.4] * 6, std=[0.3] * 6,
        architecture=sizes, decoder_options=DECODERS[recipe.decoder],
    )  # fmt: skip
    assert isinstance(model, Segmenter)
    return model


def one_step(model: Segmenter, given: tuple[Any, ...]) -> None:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    loss = torch.nn.functional.cross_entropy(model.train()(*given), LABEL)
    loss.backward()
    assert bool(loss.isfinite())
    torch.optim.AdamW(weights, lr=1e-2).step()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", FAMILIES)
def test_it_trains_and_comes_back_in_a_fresh_process(family: str, tmp_path: Path) -> None:
    names = []
    for recipe in combinations(family):
        model = built(recipe)
        given = (IMAGE, *model.encode(DATES, LONLAT))
        one_step(model, given)
        names.append(f"{recipe.peft.kind}-{recipe.decoder}-{recipe.metadata}")
        folder = tmp_path / names[-1]
        folder.mkdir()
        save_model(model, folder)
        with torch.no_grad():
            torch.save((given, model.eval()(*given)), folder / "expected.pt")
    opened = subprocess.run(
        [sys.executable, "-c", OPENS_ALL, tmp_path], capture_output=True, text=True, check=False
    )
    assert opened.returncode == 0, opened.stderr[-2000:]
    assert opened.stdout.splitlines() == [f"{name} same" for name in sorted(names)]
