"""workbench study: methods × splits × seeds as one queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from workbench.recipe import AnyRecipe


@app.command(
    cls=RecipeCommand,
    epilog=examples(
        "workbench study --hold-out bolivia --methods lora,full,linear_probe --baselines --plan",
        "workbench study --hold-out bolivia --methods lora,full,linear_probe --baselines",
        "workbench study --leave-one-region-out --methods lora,full --seeds 5 --name floods",
        "workbench compare studies/floods",
    ),
)
def study(
    data: Data = "simulated-floods", images: Images = None, masks: Masks = None,
    bands: Bands = None, classes: Classes = None, region: Region = None, scale: Scale = 1.0,
    chip_size: ChipSize = None, frames: Frames = 1, hold_out: HoldOut = None,
    backbone: Word = None, peft: Word = None, peft_option: PeftOption = None, decoder: Word = None,
    epochs: Whole = None, batch_size: Word = None, learning_rate: Number = None,
    accumulate: Whole = None, precision: Word = None, loss: Word = None, schedule: Word = None,
    seed: Whole = None, set_: Set = None, baselines: Baselines = False,
    methods: Annotated[
        str | None, typer.Option(help="PEFT methods to compare, such as lora,full.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    learning_rates: Annotated[
        int, typer.Option(help="How many are tried for each method on each split.")
    ] = 3,
    leave_one_region_out: Annotated[
        bool, typer.Option("--leave-one-region-out", help="One split a region.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only estimate time, memory and disk.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the study and its folder.")] = None,
    root: Annotated[Path, typer.Option(help="Folder of the studies.")] = Path("studies"),
    device: Device = "auto",
) -> None:  # fmt: skip
    """Train methods on splits with seeds, resumable: the same command again goes on."""
    given = dict(locals())
    split = open_split(given)
    (first,) = make_recipes({**given, "baselines": False}, split)
    assert isinstance(first, wb.Recipe)
    kinds = [kind.strip() for kind in methods.split(",")] if methods else [first.peft.kind]
    recipes: dict[str, AnyRecipe] = {
        kind: first if kind == first.peft.kind else first.but(peft=kind) for kind in kinds
    }
    if baselines:
        recipes |= {recipe.name: recipe for recipe in make_recipes(given, split)}
    splits = split.leave_one_region_out() if leave_one_region_out else split
    found = wb.study(recipes, splits, seeds=seeds, learning_rates=learning_rates, name=name,
                     root=root, device=device, plan=plan)
    print(found)
