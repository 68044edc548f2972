"""workbench demo and fit: what trains."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import workbench as wb
from workbench.cli._app import Device, Root, app, examples, tell
from workbench.cli._options import Choices, training_command
from workbench.errors import RecipeError

if TYPE_CHECKING:
    from workbench.runs import Run


@app.command(epilog=examples("workbench demo", "workbench demo floods-tonight --device cpu",
                             "workbench demo --real"))
def demo(
    folder: Annotated[Path | None, typer.Argument(
        help="Where everything is written.", show_default="workbench-demo"
    )] = None,
    real: Annotated[bool, typer.Option(
        "--real", help="On a real chip of Sen1Floods11 with Prithvi-EO-2.0-tiny-TL; both are "
        "downloaded once."
    )] = False,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every training.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the data and of every training.")] = None,
    device: Device = "auto",
) -> None:
    """Run the whole job, on simulated floods without a network: train, compare, map, report."""
    from workbench.demo import run_demo

    given = {"epochs": epochs, "seed": seed}
    chosen: dict[str, Any] = {option: value for option, value in given.items() if value is not None}
    run_demo(folder, real=real, device=device, **chosen)


@training_command(
    "workbench fit --hold-out bolivia --peft lora --peft-option rank=8 --epochs 10",
    "workbench fit --hold-out bolivia --baselines",
    "workbench fit --images scenes --masks labels --bands BLUE,GREEN,RED,NIR_NARROW "
    "--scale 1e-4 --chip-size 128 --region '{region}_{number}' --hold-out spain",
    "workbench fit --name lora --detach && workbench watch runs/lora",
    "workbench fit --resume runs/lora",
)
def fit(
    choices: Choices, *,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder instead of a new run.")
    ] = None,
    watch_held_out: Annotated[
        bool,
        typer.Option("--watch-held-out", help="Score held-out regions after every epoch too."),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Train in a process of its own and return at once."),
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run and its folder.")] = None,
    root: Root = Path("runs"),
    device: Device = "auto",
) -> None:
    """Fine-tune a backbone, or go on with a run; Ctrl-C stops after the step, with a checkpoint."""
    if resume is not None:
        _say(wb.resume(resume, device=device, wait=not detach, show=True), detach)
        return
    if name is not None and choices.baselines:
        raise RecipeError(f"--name {name} names one run, and --baselines trains several; leave "
                          "--name away: each has a name of its own.")
    split, recipes = choices.split_and_recipes()
    print(split, flush=True)
    # The log of a batch job is read by a person, too.
    train = wb.launch if detach else functools.partial(wb.fit, show=True)
    for recipe in recipes:
        run = train(recipe, split, name=name, root=root, device=device,
                    watch_held_out=watch_held_out)
        _say(run, detach)


def _say(run: Run, detached: bool) -> None:
    tell(run)
    if detached:
        print(f"trains on its own: `workbench watch {run.folder}` shows it, `workbench stop "
              f"{run.folder}` ends it")
