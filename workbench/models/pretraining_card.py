"""The card that goes with pre-trained weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.storage import write_text

_CARD = """# {name}

A small masked autoencoder in the manner of Prithvi-EO 2.0, with the same names of tensors:
{millions:.2f} M parameters, patches of 8×8 pixels, six bands ({bands}).
Encoder only, float16. It comes with the package so that everything can be tried offline, on a CPU.
Patches of 16×16 would train four times as fast (0.10 against 0.46 s of one core a step of eight
chips of 128×128), but most rivers here are narrower than half of such a patch.

## What it is not

- It has **never seen a satellite image**. All of its training data are simulated.
- Pre-training and the `simulated-floods` dataset **share a simulator** (version {version}): the
  places and seeds differ, the physics does not. How well it does on that dataset says nothing about
  how well pre-training works on real images, nor how it compares with published models.
- It is no foundation model, and no substitute for one.

## Data

{scenes} unlabelled simulated scenes of 256×256 pixels of 30 m, of random places that are none of
the eleven regions of `simulated-floods` (`regions.random_profile`, generator version {version},
pool seed {seed}); {checks} more were held back for the losses below.
Units: reflectance, 0 to 1. Normalisation by band:

| band | mean | std |
|---|---|---|
{statistics}

## Recipe

Masked reconstruction (He et al. 2022, arXiv:2111.06377), mask ratio {mask_ratio}, with two changes:
what is painted is the logarithm of reflectance, normalised by band, so that dark water counts and
clouds do not rule; and visible patches are painted too, by one linear layer on the encoder's tokens
and with weight {visible_weight}, so that a token keeps the detail of its own patch. Normalised
pixels and no loss on visible patches, as in the paper, gave features from which a linear layer read
water no better than from random ones. Mean squared error; random crops of {crop}×{crop} in eight
orientations; batch {batch_size}, {steps} steps; AdamW (0.9, 0.95), learning rate {learning_rate},
weight decay {weight_decay}, one twentieth of warm-up, then half a cosine; {precision}.
It took {minutes:.0f} minutes on {device} ({hardware}, {threads} threads, torch {torch}),
and before that {scene_minutes:.1f} to simulate the scenes (next to nothing where they are
in the cache).

Repeat it with `python -m workbench.models.pretraining --out FOLDER{options}`.

## Loss

On hidden patches of the scenes held back: **{model:.3f}** (1 is the variance of a band). Painting
the average of the crop's visible patches scores {scene:.3f}, the average patch of all crops
{average:.3f}.

| step | training loss |
|---|---|
{curve}
{probe}"""

_PROBE = """
## Linear probe

Validation mIoU in per cent on the ten training regions of `simulated-floods` (test chips and
Bolivia were not looked at), one linear layer on the last block's frozen, standardised features:
**{pretrained:.1f}** with these weights, {random} with random ones (two seeds), as
`python tests/benchmarks/linear_probe.py` prints them. The gain is small: a linear layer reads
much of the water off the bands alone.
"""


def write_card(path: Path, figures: Mapping[str, Any]) -> None:
    """Write the Markdown card of a pre-training; every number comes from `figures`."""
    recipe = figures["recipe"]
    rows = zip(figures["bands"], figures["mean"], figures["std"], strict=True)
    text = _CARD.format(
        **{key: recipe[key] for key in recipe},
        name=figures["name"],
        millions=figures["num_parameters"] / 1e6,
        bands=", ".join(figures["bands"]),
        version=figures["generator_version"],
        scenes=recipe["num_scenes"],
        checks=recipe["num_checks"],
        statistics="\n".join(f"| {b} | {m:.4f} | {s:.4f} |" for b, m, s in rows),
        minutes=figures["seconds"] / 60,
        scene_minutes=figures["seconds_for_scenes"] / 60,
        device=figures["device"],
        hardware=figures["hardware"],
        threads=figures["threads"],
        torch=figures["torch"],
        options="".join(f" --{k.replace('_', '-')} {v}" for k, v in recipe.items()),
        **figures["held_back_loss"],
        curve="\n".join(f"| {step} | {loss:.3f} |" for step, loss in figures["loss_curve"]),
        probe=_PROBE.format(**figures["probe"]) if "probe" in figures else "",
    )
    write_text(path, text)
