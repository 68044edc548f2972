"""Pre-train `workbench_tiny` as a masked autoencoder on unlabelled simulated scenes.

Run as `python -m workbench.models.pretraining --out FOLDER`. Three quarters of an image's patches
are hidden; the encoder sees the rest, and a small decoder, thrown away afterwards, has to paint
what is hidden. Source: He et al. (2022), "Masked Autoencoders Are Scalable Vision Learners"
(arXiv:2111.06377); Prithvi-EO-2.0 (arXiv:2412.02732) for the use on satellite images.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor, nn

from workbench.data.simulated.generate import VERSION
from workbench.data.simulated.pool import open_pool
from workbench.data.simulated.spectra import BANDS, NODATA, SCALE
from workbench.models.backbones.prithvi import Prithvi
from workbench.models.loading import load_backbone
from workbench.models.masked_autoencoder import MaskedAutoencoder, patches_of
from workbench.models.pretraining_card import write_card
from workbench.storage import atomic_file, write_json

NAME = "workbench_tiny"


@dataclass(frozen=True)
class Pretraining:
    """What a pre-training is made of; the defaults are those of the shipped weights.

    Attributes:
        num_scenes: Scenes of 256×256 pixels to learn from.
        num_checks: Further scenes, never learned from, for the losses that are reported.
        steps: Optimisation steps.
        batch_size: Crops a step.
        crop: Side of a crop in pixels.
        mask_ratio: Share of patches hidden (He et al. 2022, figure 5: 0.75).
        visible_weight: Weight of a visible patch in the loss, where a hidden one has 1. He et al.
            give them none; but then a token need not keep the detail of its own patch.
        learning_rate: Peak, after a twentieth of the steps; then half a cosine down to zero.
        weight_decay: AdamW's, as He et al. 2022, table 8.
        precision: "bf16" runs the transformer in bfloat16, quicker where the processor knows it
            (AVX-512 BF16, AMX, GPUs) and slow elsewhere: there take "fp32".
        seed: Fixes scenes, initial values, crops and masks.
    """

    num_scenes: int = 320
    num_checks: int = 32
    steps: int = 1600
    batch_size: int = 32
    crop: int = 128
    mask_ratio: float = 0.75
    visible_weight: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    precision: str = "bf16"
    seed: int = 0


def compressed(reflectance: Tensor) -> Tensor:
    """Take the logarithm of reflectance, which is what the decoder paints.

    Clouds would make up most of a squared error in reflectance, and water, dark as it is, next to
    nothing. In logarithms ratios of bands, which tell surfaces apart through haze and shade, are
    differences. 0.01, the noise of dark pixels and then some, keeps zero finite.
    """
    return (reflectance.clamp(min=0) + 0.01).log()


def masked_loss(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error over patches by their weight, ``(B, N)``."""
    weight = weight.float()
    return ((predicted - target).square().mean(-1) * weight).sum() / weight.sum().clamp(min=1)


def visible_patches(
    batch: int, count: int, mask_ratio: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the patches that stay visible, ``(B, K)``, and who is hidden, bool ``(B, N)``."""
    kept = round(count * (1 - mask_ratio))
    keep = torch.rand(batch, count, generator=generator).argsort(1)[:, :kept].sort(1).values
    hidden = torch.ones(batch, count, dtype=torch.bool).scatter(1, keep, False)
    return keep, hidden


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation by band ``(C,)``: of reflectance, and of its logarithm."""

    mean: Tensor
    std: Tensor
    log_mean: Tensor
    log_std: Tensor


@dataclass(frozen=True)
class Batch:
    """Crops and what is to be painted.

    Attributes:
        image: ``(B, C, side, side)`` float32, reflectance normalised by band; nodata is 0.
        target: ``(B, N, patch²·C)`` float32, logarithm of reflectance normalised by band.
        whole: ``(B, N)`` bool, patches without nodata.
    """

    image: Tensor
    target: Tensor
    whole: Tensor


class Crops:
    """Random crops of a pool of scenes in the eight orientations of a square."""

    def __init__(self, pool: np.ndarray, statistics: Statistics) -> None:
        self.pool = pool
        self.statistics = statistics

    def draw(self, rng: np.random.Generator, batch: int, side: int, patch: int) -> Batch:
        """Draw a batch of crops of `side` pixels, cut into patches of `patch` pixels."""
        pieces = []
        for _ in range(batch):
            scene = self.pool[rng.integers(len(self.pool))]
            top, left = rng.integers(0, scene.shape[-1] - side + 1, 2)
            piece = scene[:, top : top + side, left : left + side]
            piece = np.rot90(piece, int(rng.integers(4)), (1, 2))
            pieces.append(piece[:, :, ::-1] if rng.random() < 0.5 else piece)
        raw = torch.from_numpy(np.stack(pieces).astype(np.float32))
        valid = (raw != NODATA).all(1, keepdim=True)
        reflectance, known = raw / SCALE, self.statistics
        image = (reflectance - known.mean[:, None, None]) / known.std[:, None, None]
        target = compressed(reflectance) - known.log_mean[:, None, None]
        return Batch(
            image=torch.where(valid, image, 0.0),
            target=patches_of(target / known.log_std[:, None, None], patch),
            whole=patches_of(valid.float(), patch).amin(-1) > 0,
        )


def statistics_of(pool: np.ndarray) -> Statistics:
    """Mean and standard deviation of every band over valid pixels, in reflectance (0 to 1)."""
    count, sums = 0, torch.zeros(4, 6, dtype=torch.float64)
    for scene in pool:
        values = torch.from_numpy(scene[:, scene[0] != NODATA].astype(np.float64) / SCALE)
        logs = compressed(values)
        count += values.shape[1]
        sums += torch.stack([values.sum(1), (values**2).sum(1), logs.sum(1), (logs**2).sum(1)])
    mean, square, log_mean, log_square = sums / count
    std, log_std = (square - mean**2).sqrt(), (log_square - log_mean**2).sqrt()
    return Statistics(mean.float(), std.float(), log_mean.float(), log_std.float())


def pretrain(
    model: MaskedAutoencoder,
    crops: Crops,
    recipe: Pretraining,
    *,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[int, float]]:
    """Train a masked autoencoder in place; yields each step and its loss.

    The same recipe, pool and device give the same weights.
    """
    rng = np.random.default_rng([recipe.seed, 1])
    generator = torch.Generator().manual_seed(recipe.seed)
    model.to(device).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, (0.9, 0.95), weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _rate(s, recipe.steps))
    for step in range(1, recipe.steps + 1):
        loss = _loss(model, crops, recipe, rng, generator, device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        yield step, float(loss.detach())


def _rate(step: int, steps: int) -> float:
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _loss(
    model: MaskedAutoencoder, crops: Crops, recipe: Pretraining, rng: np.random.Generator,
    generator: torch.Generator, device: torch.device | str,
) -> Tensor:  # fmt: skip
    batch = crops.draw(rng, recipe.batch_size, recipe.crop, model.encoder.patch_size)
    count, patches = batch.whole.shape
    keep, hidden = visible_patches(count, patches, recipe.mask_ratio, generator)
    weight = torch.where(hidden, 1.0, recipe.visible_weight) * batch.whole
    kind = torch.device(device).type
    with torch.autocast(kind, torch.bfloat16, enabled=recipe.precision == "bf16"):
        predicted = model(batch.image.to(device), keep.to(device))
    return masked_loss(predicted, batch.target.to(device), weight.to(device))


@torch.no_grad()
def check(
    model: MaskedAutoencoder, crops: Crops, recipe: Pretraining,
    *, device: torch.device | str = "cpu", batches: int = 8,
) -> dict[str, float]:  # fmt: skip
    """Losses on hidden patches of other scenes: the model's and two that need no model.

    Returns:
        `model`; `scene`, which paints the average of the crop's visible patches; `average`, which
        paints the average patch of all crops.
    """
    rng = np.random.default_rng([recipe.seed, 2])
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    model.to(device).eval()
    losses: dict[str, list[float]] = {"model": [], "scene": [], "average": []}
    drawn = []
    for _ in range(batches):
        batch = crops.draw(rng, recipe.batch_size, recipe.crop, model.encoder.patch_size)
        count, patches = batch.whole.shape
        keep, hidden = visible_patches(count, patches, recipe.mask_ratio, generator)
        counted, seen = hidden & batch.whole, (~hidden & batch.whole).float()[..., None]
        predicted = model(batch.image.to(device), keep.to(device)).cpu()
        scene = (batch.target * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
        losses["model"].append(float(masked_loss(predicted, batch.target, counted)))
        losses["scene"].append(float(masked_loss(scene, batch.target, counted)))
        drawn.append(batch.target[counted])
    pieces = torch.cat(drawn)
    losses["average"].append(float((pieces - pieces.mean(0)).square().mean()))
    return {kind: float(np.mean(values)) for kind, values in losses.items()}


def encoder_state(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """Give the encoder's tensors in float16; positions follow from the size and are left out."""
    state = model.encoder.state_dict()
    return {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in state.items()
        if name not in model.encoder.derived
    }


def run(recipe: Pretraining, out: Path, *, device: str = "auto") -> dict[str, Any]:
    """Pre-train by a recipe and write weights, figures and card into a folder.

    Returns:
        The figures, as in `workbench_tiny.json`.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    start = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as bar:
        making = bar.add_task("Scenes of other places", total=None)
        pool = open_pool(
            recipe.num_scenes + recipe.num_checks, seed=recipe.seed,
            progress=lambda done, total: bar.update(making, completed=done, total=total),
        )  # fmt: skip
        pool_seconds = time.perf_counter() - start
        learned, kept_back = pool[: recipe.num_scenes], pool[recipe.num_scenes :]
        statistics = statistics_of(learned)
        torch.manual_seed(recipe.seed)
        encoder = load_backbone(NAME, weights="random")
        assert isinstance(encoder, Prithvi), "the registry says so"
        model = MaskedAutoencoder(encoder)
        learning = bar.add_task("Pre-training", total=recipe.steps)
        losses = []
        for step, loss in pretrain(model, Crops(learned, statistics), recipe, device=device):
            losses.append(loss)
            bar.update(learning, completed=step, description=f"Pre-training, loss {loss:.3f}")
            if step % 100 == 0 and not bar.console.is_terminal:
                bar.console.print(f"step {step} of {recipe.steps}, loss {loss:.3f}")
    seconds = time.perf_counter() - start - pool_seconds
    checked = check(model, Crops(kept_back, statistics), recipe, device=device)
    figures = {
        "name": NAME, "bands": list(BANDS), "mean": _rounded(statistics.mean),
        "std": _rounded(statistics.std),
        "units": "reflectance, 0 to 1", "num_parameters": _count(model.encoder),
        "recipe": asdict(recipe), "generator_version": VERSION,
        "loss_curve": _curve(losses),
        "held_back_loss": {kind: round(value, 4) for kind, value in checked.items()},
        "seconds": round(seconds), "seconds_for_scenes": round(pool_seconds),
        "device": device, "hardware": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(), "torch": torch.__version__,
    }  # fmt: skip
    with atomic_file(out / f"{NAME}.safetensors") as path:
        save_file(encoder_state(model), path, metadata={"format": "pt"})
    write_json(out / f"{NAME}.json", figures)
    write_card(out / f"{NAME}.md", figures)
    return figures


def _rounded(values: Tensor) -> list[float]:
    return [round(float(v), 5) for v in values]


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _curve(losses: list[float], points: int = 40) -> list[list[float]]:
    """Average the losses over up to 40 equal spans: last step and mean of each."""
    spans = np.array_split(np.arange(len(losses)), min(points, len(losses)))
    return [[int(s[-1]) + 1, round(float(np.mean([losses[i] for i in s])), 4)] for s in spans]


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.models.pretraining", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, …")
    for name, value in asdict(Pretraining()).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(value), default=value, help=f"default {value}")
    options = vars(parser.parse_args(arguments))
    out, device = options.pop("out"), options.pop("device")
    figures = run(Pretraining(**options), out, device=device)
    losses = figures["held_back_loss"]
    print(
        f"{out / NAME}.safetensors: loss {losses['model']:.3f} on scenes held back (average of "
        f"the visible patches {losses['scene']:.3f}), {figures['seconds']} s, {figures['device']}."
    )


if __name__ == "__main__":
    main()
