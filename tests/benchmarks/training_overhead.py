"""What the training loop costs on top of the model: its steps against a bare torch loop.

    python tests/benchmarks/training_overhead.py [--device cuda] [--repeats 5]

Both train the same model on the same chips with AdamW and cross-entropy. The loop besides reads
and turns chips, seeds dropout, measures memory, and writes every step into events.jsonl. The two
take turns; of each the median step of its fastest turn counts. `cpu` is the processor time of all
threads of the process, which other load on the machine disturbs less than the clock.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import HLS, write_chip
from workbench.assembly import build_model, select_device
from workbench.data import Dataset, Split
from workbench.events import StepDone
from workbench.models import load_backbone, loading
from workbench.recipe import Recipe
from workbench.training import train
from workbench.training.loader import Loader

RECIPES = {
    "linear probe": Recipe(peft="linear_probe", decoder="linear"),
    "LoRA + linear": Recipe(peft="lora", decoder="linear"),
    "LoRA + unet": Recipe(peft="lora", decoder="unet"),
    "scratch unet": Recipe(backbone="unet_encoder", peft="full", decoder="unet"),
}
EPOCHS = 2


def make_split(folder: Path, chips: int, side: int) -> Split:
    for number in range(chips):
        write_chip(folder, f"spain_{number}", number, epsg=32630, east=6e5 + 2e4 * number,
                   north=4e6, side=side)
    data = Dataset.from_folder(
        str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
        classes=["land", "water"], region="spain", scale=1e-4,
    )
    return data.split(fractions=(0.8, 0.1, 0.1))


def step_times(stamps: list[tuple[float, float]], per_epoch: int) -> tuple[float, float]:
    """Return the median wall and processor seconds of a step, without first steps of an epoch."""
    pairs = [
        (after[0] - before[0], after[1] - before[1])
        for place, (before, after) in enumerate(itertools.pairwise(stamps))
        if (place + 1) % per_epoch
    ]
    return tuple(statistics.median(column) for column in zip(*pairs, strict=True))


def stamp() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def bare(recipe: Recipe, split: Split, device: torch.device) -> tuple[float, float]:
    model = build_model(recipe, classes=2, bands=HLS, image_size=split.dataset.info.chip_shape,
                        mean=[0.1] * 6, std=[0.1] * 6).to(device).train()
    batches = [(batch.image, batch.mask, batch.pixels)
               for batch in Loader(split.train, recipe.batch_size, cache=True).in_order()]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.lr)
    stamps = []
    for _ in range(EPOCHS):
        for image, mask, pixels in batches:
            logits = model(image.to(device))
            loss = recipe.loss.total(logits, mask.to(device)) / pixels
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
            stamps.append(stamp())
    return step_times(stamps, len(batches))


def ours(recipe: Recipe, split: Split, device: torch.device) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as root:
        events = train(recipe.but(epochs=EPOCHS), split, Path(root) / "run", device=device)
        stamps = [stamp() for event in events if isinstance(event, StepDone)]
    return step_times(stamps, len(stamps) // EPOCHS)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--side", type=int, default=128)
    arguments.add_argument("--chips", type=int, default=120)
    given = arguments.parse_args()
    device = select_device(given.device)
    with tempfile.TemporaryDirectory() as root:
        if not (loading.SHIPPED / "workbench_tiny.safetensors").exists():
            from safetensors.torch import save_file

            loading.SHIPPED = Path(root)
            state = load_backbone("workbench_tiny", weights="random").state_dict()
            save_file({name: tensor.contiguous() for name, tensor in state.items()},
                      Path(root) / "workbench_tiny.safetensors")
        split = make_split(Path(root), given.chips, given.side)
        print(f"{device}, torch {torch.__version__}, {torch.get_num_threads()} threads, batch 8 of "
              f"6 x {given.side} x {given.side}")
        for name, recipe in RECIPES.items():
            turns = [(bare(recipe, split, device), ours(recipe, split, device))
                     for _ in range(given.repeats)]
            (wall, cpu), (our_wall, our_cpu) = (
                tuple(min(turn[who][which] for turn in turns) * 1e3 for which in (0, 1))
                for who in (0, 1)
            )
            print(f"{name:14} bare {wall:8.2f} ms (cpu {cpu:8.2f})   loop {our_wall:8.2f} ms "
                  f"(cpu {our_cpu:8.2f})   overhead {our_wall - wall:+6.2f} ms "
                  f"({100 * (our_wall / wall - 1):+.1f} %), cpu {our_cpu - cpu:+6.2f} ms")


if __name__ == "__main__":
    main()
