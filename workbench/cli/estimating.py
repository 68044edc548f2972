"""workbench estimate: what a training will cost."""

from __future__ import annotations

from typing import Annotated

import typer

import workbench as wb
from workbench.cli._app import Device, app, examples
from workbench.cli._options import (
    Bands,
    Baselines,
    ChipSize,
    Classes,
    Data,
    Frames,
    HoldOut,
    Images,
    Masks,
    Number,
    PeftOption,
    Region,
    Scale,
    Set,
    Whole,
    Word,
    make_recipes,
    open_split,
)
from workbench.cli._recipe import RecipeCommand


@app.command(
    cls=RecipeCommand,
    epilog=examples(
        "workbench estimate --hold-out bolivia --peft lora --peft-option rank=8",
        "workbench estimate --backbone prithvi_eo_v2_300 --batch-size 32 --fit",
    ),
)
def estimate(
    data: Data = "simulated-floods", images: Images = None, masks: Masks = None,
    bands: Bands = None, classes: Classes = None, region: Region = None, scale: Scale = 1.0,
    chip_size: ChipSize = None, frames: Frames = 1, hold_out: HoldOut = None,
    backbone: Word = None, peft: Word = None, peft_option: PeftOption = None, decoder: Word = None,
    epochs: Whole = None, batch_size: Word = None, learning_rate: Number = None,
    accumulate: Whole = None, precision: Word = None, loss: Word = None, schedule: Word = None,
    seed: Whole = None, set_: Set = None, baselines: Baselines = False,
    fit: Annotated[
        bool, typer.Option("--fit", help="Where it does not fit, change the recipe until it does.")
    ] = False,
    device: Device = "auto",
) -> None:  # fmt: skip
    """Say what `workbench fit` would take with the same options: memory, time, sizes."""
    given = dict(locals())
    split = open_split(given)
    print(split)
    for recipe in make_recipes(given, split):
        print(wb.estimate(recipe, split, device=device, fit=fit))
