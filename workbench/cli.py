"""The verbs of the workbench in a terminal; names and defaults are those of the Python API."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

import workbench as wb
from workbench.errors import RecipeError, WorkbenchError

if TYPE_CHECKING:
    import pandas as pd

    from workbench.data import Dataset
    from workbench.peft import Method
    from workbench.recipe import AnyRecipe

app = typer.Typer(
    no_args_is_help=True,
    # What we raise on purpose is one paragraph (see `main`); a bug shows a plain traceback.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Root = Annotated[Path, typer.Option(help="Folder of the run folders.")]
By = Annotated[str, typer.Option(help="What the rows are: region, cluster, date, class or part.")]
Csv = Annotated[Path | None, typer.Option(help="Also write the table to this file.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder, such as runs/lora.")]


def _data(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Data")


# Help and defaults come from the recipe's fields: see RecipeCommand.
_recipe_field = typer.Option(rich_help_panel="Recipe")


def examples(*lines: str) -> str:
    """Return an epilog that help shows line by line."""
    return "\n\n".join(("Examples:", *lines))


class RecipeCommand(TyperCommand):
    """Takes the help of its options from the recipe's own fields, once help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with advice and defaults as the recipe has them."""
        fields = wb.Recipe.model_fields
        for option in self.params:
            if option.name in fields and not getattr(option, "help", None):
                field = fields[option.name]
                default = getattr(field.default, "kind", field.default)
                known = "" if default is None else f" (default: {default})"
                option.help = f"{field.description}{known}"  # type: ignore[attr-defined]
        self.epilog = f"{self.epilog}\n\n{_peft_help()}"
        super().format_help(ctx, formatter)


def _peft_help() -> str:
    from rich.markup import escape

    from workbench.peft import METHODS

    lines = ["PEFT methods and their options:"]
    for name, method in METHODS.items():
        lines.append(f"{name}: {method.summary}")
        for option, field in method.model_fields.items():
            lines.append(f"  --peft-option {option}={_written(field.default)}: {field.description}")
    return "\n\n".join(map(escape, lines))


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


@app.callback()
def workbench(
    traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Show where an error arose (also WORKBENCH_DEBUG=1)."),
    ] = False,
) -> None:
    """Fine-tune geospatial foundation models with few parameters, and see where they hold up."""
    if traceback:
        os.environ["WORKBENCH_DEBUG"] = "1"


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
    backbone: Annotated[str | None, _recipe_field] = None,
    peft: Annotated[str | None, _recipe_field] = None,
    peft_option: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE of the PEFT method; may be repeated.", rich_help_panel="Recipe"
        ),
    ] = None,
    decoder: Annotated[str | None, _recipe_field] = None,
    epochs: Annotated[int | None, _recipe_field] = None,
    batch_size: Annotated[int | None, _recipe_field] = None,
    learning_rate: Annotated[float | None, _recipe_field] = None,
    seed: Annotated[int | None, _recipe_field] = None,
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
    name: Annotated[str | None, typer.Option(help="Name of the run and its folder.")] = None,
    root: Root = Path("runs"),
    device: Device = "auto",
) -> None:
    """Fine-tune a backbone, or go on with a run; Ctrl-C stops after the step, with a checkpoint."""
    if resume is not None:
        print(wb.resume(resume, device=device))
        return
    if images or masks:
        dataset = _own_data(images, masks, bands, classes, region, scale, chip_size)
    else:
        with _bar("opening") as progress:
            dataset = wb.load(data, progress=progress)
    split = dataset.split(hold_out=hold_out or ())
    print(split)
    given = {
        "backbone": backbone, "decoder": decoder, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "seed": seed, **_assignments("--set", set_),
    }  # fmt: skip
    changes = {field: value for field, value in given.items() if value is not None}
    if baselines:
        recipes = wb.baselines(dataset, **changes)
    else:
        recipes = [_recipe(peft, peft_option, changes)]
    for recipe in recipes:
        print(wb.fit(recipe, split, name=name, root=root, device=device))


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


def _recipe(peft: str | None, options: list[str] | None, changes: dict[str, Any]) -> AnyRecipe:
    """Make the recipe; what was not given keeps the API's default."""
    from workbench.peft import METHODS

    given = _assignments("--peft-option", options)
    if given:
        method = METHODS[peft] if peft else type(wb.Recipe().peft)
        changes = {**changes, "peft": _options(method, given)}
    elif peft:
        changes = {**changes, "peft": peft}
    return wb.Recipe(**changes)


def _options(method: type[Method], given: dict[str, Any]) -> Method:
    """Make a method's options; one name where several may stand is a tuple of one."""
    defaults = {name: field.default for name, field in method.model_fields.items()}
    return method(
        **{
            name: (value,)
            if isinstance(defaults.get(name), tuple) and isinstance(value, str)
            else value
            for name, value in given.items()
        }
    )


def _assignments(option: str, lines: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE; a value is JSON where it can be, `a,b` is a list, all else is text."""
    read: dict[str, Any] = {}
    for line in lines or ():
        name, equals, text = line.partition("=")
        if not equals:
            raise RecipeError(f"{option} {line!r} is not NAME=VALUE, such as rank=8.")
        try:
            read[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            read[name.strip()] = text.split(",") if "," in text else text
    return read


@app.command(
    epilog=examples(
        "workbench evaluate runs/lora", "workbench evaluate runs/lora --by cluster --csv scores.csv"
    )
)
def evaluate(run: RunFolder, by: By = "region", csv: Csv = None, device: Device = "auto") -> None:
    """Score a run's best checkpoint on its test and held-out chips, with intervals."""
    from workbench.evaluation.tables import formatted

    with _bar("scoring") as progress:
        scores = wb.evaluate(wb.open_run(run), device=device, progress=progress)
    table = scores.table(by=by)
    print(scores if by == "region" else formatted(table).to_string(index=False))
    if csv:
        _write_csv(table, csv)


@app.command(
    epilog=examples(
        "workbench predict runs/lora scene.tif",
        "workbench predict runs/lora scene.tif --output water.tif",
    )
)
def predict(
    run: RunFolder,
    scene: Annotated[Path, typer.Argument(help="A GeoTIFF in the units of the training data.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to; <scene>_<run>.tif if not given."),
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Bands of the scene in order, if it does not name them.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Other than the training data's: 1 for reflectance.")
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="Of the scene, 2018-03-14; for models told the time.")
    ] = None,
    window: Annotated[int | None, typer.Option(help="Side of a window in pixels.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Pixels that windows share.")] = None,
    probability: Annotated[
        bool, typer.Option("--probability", help="Also write <output>_probability.tif.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Predict a scene of any size into a Cloud Optimized GeoTIFF on the same grid."""
    opened = wb.open_run(run)
    path = output or Path(f"{scene.stem}_{opened.name}.tif")
    with _bar("predicting") as progress:
        prediction = wb.predict(
            opened, scene, bands=bands.split(",") if bands else None, scale=scale,
            date=date, window=window, overlap=overlap, device=device, progress=progress,
        )  # fmt: skip
    wb.to_cog(prediction, path, probability=probability)
    print(f"wrote {path}")


@app.command(epilog=examples("workbench compare", "workbench compare runs/lora runs/full"))
def compare(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders; all finished ones if not given.")
    ] = None,
    by: By = "region",
    csv: Csv = None,
    root: Root = Path("runs"),
) -> None:
    """Compare runs per region, with intervals; nothing is called better unless it is."""
    opened = [wb.open_run(run) for run in runs] if runs else list(wb.list_runs(root))
    comparison = wb.compare(opened, by=by)
    print(comparison)
    if csv:
        _write_csv(comparison.table(), csv)


@app.command(epilog=examples("workbench runs", "workbench runs --root elsewhere/runs"))
def runs(root: Root = Path("runs")) -> None:
    """List the runs of a folder: state, scores, parameters, memory, time."""
    print(wb.list_runs(root))


@app.command(epilog=examples("workbench lab", "workbench lab --no-browser --port 8890"))
def lab(
    folder: Annotated[Path, typer.Argument(help="What JupyterLab shows.")] = Path("."),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[int | None, typer.Option(help="Where to listen on 127.0.0.1.")] = None,
) -> None:
    """Open JupyterLab on a copy of the notebooks, reachable from this machine only."""
    from workbench.lab import open_lab

    raise typer.Exit(open_lab(folder, browser=browser, port=port))


@app.command(epilog=examples("workbench doctor"))
def doctor() -> None:
    """Check Python, packages, accelerator, disk, hub and Jupyter, and say what to do."""
    checkup = wb.doctor()
    print(checkup)
    raise typer.Exit(1 if checkup.problems else 0)


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on a terminal; call what it yields with done and total."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path)
    print(f"wrote {path}")


def _show_warning(message: Warning | str, *_: object) -> None:
    print(textwrap.fill(f"note: {message}", 100), file=sys.stderr)


def main() -> None:
    """Run the command line; an error made on purpose is one paragraph and exit code 1."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except WorkbenchError as error:
        if os.environ.get("WORKBENCH_DEBUG"):
            raise
        print(textwrap.fill(f"workbench: {error}", 100), file=sys.stderr)
        sys.exit(1)
