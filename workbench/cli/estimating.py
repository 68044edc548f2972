"""workbench estimate: what a training will cost."""

from __future__ import annotations

from typing import Annotated

import typer

import workbench as wb
from workbench.cli._app import Device
from workbench.cli._options import Choices, training_command


@training_command(
    "workbench estimate --hold-out bolivia --peft lora --peft-option rank=8",
    "workbench estimate --backbone prithvi_eo_v2_300 --batch-size 32 --fit",
)
def estimate(
    choices: Choices, *,
    fit: Annotated[
        bool, typer.Option("--fit", help="Where it does not fit, change the recipe until it does.")
    ] = False,
    device: Device = "auto",
) -> None:  # fmt: skip
    """Say what `workbench fit` would take with the same options: memory, time, sizes."""
    split, recipes = choices.split_and_recipes()
    print(split)
    for recipe in recipes:
        print(wb.estimate(recipe, split, device=device, fit=fit))
