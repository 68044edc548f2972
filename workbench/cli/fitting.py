"""workbench demo and fit: what trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import workbench as wb
from workbench.cli._app import Device, Root, app, examples, progress_bar
from workbench.cli._recipe import RecipeCommand, assignments, make_recipe, recipe_field
from workbench.errors import RecipeError

if TYPE_CHECKING:
    from workbench.data import Dataset
    from workbench.runs import Run


def _data(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Data")


@app.command(epilog=examples("workbench demo", "workbench demo floods-tonight --device cpu"))
def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything is written.")] = Path(
        "workbench-demo"
    ),
    epochs: Annotated[int | None, typer.Option(help="Epochs of every training.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the data and of every training.")] = None,
    device: Device = "auto",
) -> None:
    """Run the whole job on simulated floods, offline: train, compare, map, report."""
    from workbench.demo import run_demo

    given = {"epochs": epochs, "seed": seed}
    chosen: dict[str, Any] = {option: value for option, value in given.items() if value is not None}
    run_demo(folder, device=device, **chosen)


@app.command(
    cls=RecipeCommand,
    epilog=examples(
        "workbench fit --hold-out bolivia --peft lora --peft-option rank=8 --epochs 10",
        "workbench fit --hold-out bolivia --baselines",
        "workbench fit --images scenes --masks labels --bands BLUE,GREEN,RED,NIR_NARROW "
        "--scale 1e-4 --chip-size 128 --region '{region}_{number}' --hold-out spain",
        "workbench fit --name lora --detach && workbench watch runs/lora",
        "workbench fit --resume runs/lora",
    ),
)
def fit(
    data: Annotated[str, _data("A collection of the catalogue.")] = "simulated-floods",
    images: Annotated[
        str | None, _data("Your own data instead: folder or pattern of GeoTIFFs.")
    ] = None,
    masks: Annotated[str | None, _data("Their labels, paired by name.")] = None,
    bands: Annotated[
        str | None, _data("Bands of your images in file order, - for one not used: BLUE,-,RED.")
    ] = None,
    classes: Annotated[str | None, _data("Names of the labels 0, 1, …: land,water.")] = None,
    region: Annotated[
        str | None, _data("Their regions: one name, a pattern such as {region}_*, or polygons.")
    ] = None,
    scale: Annotated[
        float, _data("Stored value times this is reflectance: 1e-4 for Sentinel-2 and HLS.")
    ] = 1.0,
    chip_size: Annotated[int | None, _data("Cut images into chips of this side.")] = None,
    hold_out: Annotated[
        list[str] | None, _data("A region never trained on; may be repeated.")
    ] = None,
    backbone: Annotated[str | None, recipe_field] = None,
    peft: Annotated[str | None, recipe_field] = None,
    peft_option: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE of the PEFT method; may be repeated.", rich_help_panel="Recipe"
        ),
    ] = None,
    decoder: Annotated[str | None, recipe_field] = None,
    epochs: Annotated[int | None, recipe_field] = None,
    batch_size: Annotated[int | None, recipe_field] = None,
    learning_rate: Annotated[float | None, recipe_field] = None,
    seed: Annotated[int | None, recipe_field] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="FIELD=VALUE of any other field of wb.Recipe.", rich_help_panel="Recipe"
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines", help="Fit the baselines that suit the data.", rich_help_panel="Recipe"
        ),
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder instead of a new run.")
    ] = None,
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
        _say(wb.resume(resume, device=device, wait=not detach), detach)
        return
    if images or masks:
        dataset = _own_data(images, masks, bands, classes, region, scale, chip_size)
    else:
        with progress_bar("opening") as progress:
            dataset = wb.load(data, progress=progress)
    split = dataset.split(hold_out=hold_out or ())
    print(split)
    given = {
        "backbone": backbone, "decoder": decoder, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "seed": seed, **assignments("--set", set_),
    }  # fmt: skip
    changes = {field: value for field, value in given.items() if value is not None}
    if baselines:
        recipes = wb.baselines(dataset, **changes)
    else:
        recipes = [make_recipe(peft, peft_option, changes)]
    train = wb.launch if detach else wb.fit
    for recipe in recipes:
        _say(train(recipe, split, name=name, root=root, device=device), detach)


def _say(run: Run, detached: bool) -> None:
    print(run)
    if detached:
        print(f"trains on its own: `workbench watch {run.folder}` shows it, `workbench stop "
              f"{run.folder}` ends it")


def _own_data(
    images: str | None, masks: str | None, bands: str | None, classes: str | None,
    region: str | None, scale: float, chip_size: int | None,
) -> Dataset:  # fmt: skip
    if images is None or masks is None or bands is None:
        raise RecipeError("Your own data need all of --images, --masks and --bands.")
    names = [None if band in ("", "-") else band for band in bands.split(",")]
    return wb.Dataset.from_folder(
        images, masks, bands=names, classes=classes.split(",") if classes else None,
        region=region, scale=scale, chip_size=chip_size,
    )  # fmt: skip
