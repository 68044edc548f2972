"""wb.estimate against real trainings: memory above the loaded model, and seconds of a step.

    python tests/benchmarks/estimate.py
    python tests/benchmarks/estimate.py --backbone prithvi_eo_v1_100 --batches 2 4 --methods full

Every cell is trained for a few steps by the training loop in a fresh process, whose peak is
compared with what was estimated before. Memory shall agree within 15 % on a CPU where it rises by
more than 300 MB, within 10 % on CUDA; time within 30 %. Weights are random.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import HLS, write_chip
from workbench.assembly import build_model, select_device
from workbench.data import Dataset, Split
from workbench.estimation import estimate
from workbench.estimation.probe import PeakMeter
from workbench.events import StepDone
from workbench.recipe import Recipe
from workbench.training.control import Control
from workbench.training.features import frozen_features
from workbench.training.loop import Loop
from workbench.training.precision import resolve_precision

STEPS = 5
# Batches that the loader has ready.
_READY = 2


def make_split(folder: Path, chips: int, side: int) -> Split:
    if not any(folder.iterdir()):
        for number in range(chips):
            write_chip(folder, f"spain_{number}", number, epsg=32630, east=6e5 + 2e4 * number,
                       north=4e6, side=side)
    data = Dataset.from_folder(
        str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
        classes=["land", "water"], region="spain", scale=1e-4,
    )
    return data.split(fractions=(0.9, 0.05, 0.05))


def measured(recipe: Recipe, split: Split, device: torch.device) -> tuple[int, float]:
    """Return the rise of the peak in bytes and the median seconds of a step after the first."""
    model = build_model(recipe, classes=2, bands=HLS, image_size=split.dataset.info.chip_shape,
                        mean=[0.1] * 6, std=[0.1] * 6, weights="random").to(device)
    precision = resolve_precision(recipe.precision, device)
    meter = PeakMeter(device)
    loop = Loop(recipe, split, model, Path(tempfile.mkdtemp()), device, {"precision": precision},
                frozen_features(model, recipe, device, precision))
    ends = []
    for event in loop.events(Control()):
        if isinstance(event, StepDone):
            ends.append(time.perf_counter())
        if len(ends) == STEPS:
            break
    return meter.rise(), statistics.median(b - a for a, b in itertools.pairwise(ends))


def cell(recipe: Recipe, folder: Path, given: argparse.Namespace) -> tuple[int, float]:
    """Measure one recipe in a fresh process, which keeps no features."""
    command = [sys.executable, __file__, "--cell", json.dumps(recipe.to_json()), "--folder",
               str(folder), "--device", given.device, "--side", str(given.side),
               "--chips", str(given.chips), "--threads", str(given.threads)]
    environment = {**os.environ, "WORKBENCH_FEATURES_GB": "0"}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rise, step_s = json.loads(output.stdout.splitlines()[-1])
    return rise, step_s


def chips_bytes(given: argparse.Namespace, size: int) -> int:
    """Return what the chips take that a few steps meet: those kept, and batches that stand ready.

    The estimate tells what all of them take once an epoch has met them.
    """
    met = min(given.chips, (STEPS + _READY) * size)
    return given.side**2 * (26 * met + 32 * _READY * size)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--device", default="auto")
    arguments.add_argument("--backbone", default="workbench_tiny")
    arguments.add_argument("--side", type=int, default=224)
    arguments.add_argument("--chips", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--batches", type=int, nargs="+", default=[4, 16])
    arguments.add_argument("--methods", nargs="+",
                           default=["linear_probe", "lora", "vpt", "vit_adapter", "full"])
    arguments.add_argument("--decoders", nargs="+", default=["linear", "unet", "upernet"])
    arguments.add_argument("--cell", help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    device = select_device(given.device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        split = make_split(folder, given.chips, given.side)
        if given.cell:
            recipe = Recipe.from_json(json.loads(given.cell))
            print(json.dumps(measured(recipe, split, device)))
            return
        print(f"{device}, torch {torch.__version__}, {given.threads} threads, {given.backbone}, "
              f"6 x {given.side} x {given.side}")
        print(f"{'':38}{'memory, MB':>24}{'step, s':>26}{'asked for':>12}")
        print(f"{'method':13}{'decoder':9}{'batch':>5}{'basis':>11}{'estimate':>12}"
              f"{'measured':>10}{'':>7}{'estimate':>9}{'measured':>10}{'':>7}{'s':>7}")
        for method, decoder, size in itertools.product(
            given.methods, given.decoders, given.batches
        ):
            recipe = Recipe(backbone=given.backbone, peft=method, decoder=decoder, batch_size=size,
                            augment=False)
            begun = time.perf_counter()
            told = estimate(recipe, split, device=given.device)
            took = time.perf_counter() - begun
            rise, step_s = cell(recipe, folder, given)
            assert told.memory is not None
            assert told.times is not None
            expected = told.memory.rise + chips_bytes(given, size)
            print(f"{method:13}{decoder:9}{size:5}{told.memory.basis:>11}{expected / 1e6:12.0f}"
                  f"{rise / 1e6:10.0f}{100 * (expected / rise - 1):+6.0f}%"
                  f"{told.times.step_s:9.2f}{step_s:10.2f}"
                  f"{100 * (told.times.step_s / step_s - 1):+6.0f}%{took:7.1f}", flush=True)


if __name__ == "__main__":
    main()
