"""What keeping the features of a frozen backbone wins: seconds of an epoch, and ratios.

    python tests/benchmarks/feature_cache.py [--chips 16] [--repeats 3] [--threads 2]

A backbone of the shapes of Prithvi 100M with random weights, batches of 4 chips of 6 x 224 x 224,
fp32. `without` sends whole batches through the model every step; `filling` computes features and
writes them; `cached` reads them. Validation is not timed: it is cached all the same. The three take
turns, and of each the fastest turn counts, because other load on the machine only ever adds. `cpu`
is the processor time of all threads, which such load disturbs less than the clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import HLS, write_chip
from workbench.assembly import build_model
from workbench.data import Dataset
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.reprs import readable_bytes
from workbench.training.features import FeatureStore, Frozen, open_loader
from workbench.training.objective import Objective
from workbench.training.step import Step

SIDE, BATCH = 224, 4
SIZES = {"embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 16}
CPU = torch.device("cpu")


def make_chips(folder: Path, chips: int) -> Dataset:
    for number in range(chips):
        write_chip(folder, f"spain_{number}", number, epsg=32630, east=6e5 + 2e4 * number,
                   north=4e6, side=SIDE)
    return Dataset.from_folder(
        str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
        classes=["land", "water"], region="spain", scale=1e-4,
    )


def epoch(recipe: Recipe, model: Segmenter, data: Dataset, frozen: Frozen | None
          ) -> tuple[float, float]:
    """Train one epoch and return its seconds by the clock and of the processor."""
    step = Step(recipe, model, CPU, "fp32", Objective.of(recipe, None, CPU))
    # Augmented as epoch 0 of seed 0 each time, so that what one turn kept the next one finds.
    loader = open_loader(data, BATCH, cache=True, encode=None, frozen=frozen)
    model.train()
    batches = loader.shuffled(0, 0, augmented=True)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for number, batch in enumerate(batches):
        step.take([batch], number)
    return time.perf_counter() - begun, time.process_time() - begun_cpu


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--chips", type=int, default=16)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    print(f"torch {torch.__version__}, {given.threads} threads, load {os.getloadavg()[0]:.1f}, "
          f"{given.chips} chips of 6 x {SIDE} x {SIDE} in batches of {BATCH}")
    with tempfile.TemporaryDirectory() as root:
        data = make_chips(Path(root), given.chips)
        for decoder in ("linear", "unet"):
            recipe = Recipe(backbone="prithvi", peft="linear_probe", decoder=decoder)
            model = build_model(
                recipe, classes=2, bands=HLS, image_size=SIDE, mean=[0.1] * 6, std=[0.1] * 6,
                weights="random", architecture=SIZES,
            )
            assert isinstance(model, Segmenter)
            turns: dict[str, list[tuple[float, float]]] = {
                "without": [], "filling": [], "cached": []
            }  # fmt: skip
            for turn in range(given.repeats):
                store = FeatureStore({"turn": turn, "decoder": decoder}, root=Path(root) / "kept",
                                     budget_bytes=10**10)
                frozen = Frozen(model, store, CPU)
                for name, source in (("without", None), ("filling", frozen), ("cached", frozen)):
                    turns[name].append(epoch(recipe, model, data, source))
            size = readable_bytes(store.size_bytes / given.chips)
            print(f"{decoder}, {size} a chip and symmetry on disk")
            for which, clock in enumerate(("clock", "cpu")):
                without, filling, cached = (
                    min(turn[which] for turn in taken) for taken in turns.values()
                )
                print(f"  {clock:5}  without {without:6.2f} s   filling {filling:6.2f} s "
                      f"({filling / without:.2f}x)   cached {cached:6.3f} s   "
                      f"gain {without / cached:.1f}x")


if __name__ == "__main__":
    main()
