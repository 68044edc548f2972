"""workbench study: methods × splits × seeds as one queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import workbench as wb
from workbench.cli._app import Device
from workbench.cli._options import Choices, training_command

if TYPE_CHECKING:
    from workbench.recipe import AnyRecipe


@training_command(
    "workbench study --hold-out bolivia --methods lora,full,linear_probe --baselines --plan",
    "workbench study --hold-out bolivia --methods lora,full,linear_probe --baselines",
    "workbench study --leave-one-region-out --methods lora,full --seeds 5 --name floods",
    "workbench compare studies/floods",
)
def study(
    choices: Choices, *,
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
    first = choices.recipe()
    kinds = [kind.strip() for kind in methods.split(",")] if methods else [first.peft.kind]
    recipes: dict[str, AnyRecipe] = {
        kind: first if kind == first.peft.kind else first.but(peft=kind) for kind in kinds
    }
    split, also = choices.split_and_recipes()
    if choices.baselines:
        recipes |= {recipe.name: recipe for recipe in also}
    splits = split.leave_one_region_out() if leave_one_region_out else split
    found = wb.study(recipes, splits, seeds=seeds, learning_rates=learning_rates, name=name,
                     root=root, device=device, plan=plan)
    print(found)
