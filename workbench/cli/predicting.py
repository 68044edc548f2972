"""workbench predict: runs and scenes in, one Cloud Optimized GeoTIFF for each pair out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

import workbench as wb
from workbench.cli._app import Device, app, examples, progress_bar
from workbench.errors import DataError
from workbench.storage import require_writable, unwritable_explained

if TYPE_CHECKING:
    import xarray as xr

    from workbench.runs import Run


@app.command(
    epilog=examples(
        "workbench predict runs/lora scene.tif",
        "workbench predict runs/lora scene.tif --output water.tif --polygons",
        "workbench predict runs/lora runs/full scenes/*.tif --output maps",
        "workbench predict runs/lora https://example.org/scene.tif --gsd training",
    )
)
def predict(
    given: Annotated[
        list[str],
        typer.Argument(metavar="RUN... SCENE...", help="Run folders, and the scenes that all of "
                       "them predict: GeoTIFFs, COGs or VRTs in the units of the training data, "
                       "or their http(s) addresses."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file, or a folder for several; "
                     "<scene>_<run>.tif if not given."),
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Bands of the scenes in order, if they do not name them.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Other than the training data's: 1 for reflectance.")
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(help="Of the scenes, 2018-03-14; for models told the time. Of several dates "
                          "all, with commas between them."),
    ] = None,
    gsd: Annotated[
        str | None,
        typer.Option(help="training or metres: resample to it; source: pixels as they are."),
    ] = None,
    window: Annotated[int | None, typer.Option(help="Side of a window in pixels.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Pixels that windows share.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows in one pass.")] = None,
    probability: Annotated[
        bool, typer.Option("--probability", help="Also write <output>_probability.tif.")
    ] = False,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="Also write <output>.gpkg.")
    ] = False,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of finished blocks, from which the same command goes on; "
                          "large scenes have one in the run's folder."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Predict scenes of any size into Cloud Optimized GeoTIFFs on their own grids.

    An interrupted command goes on where it stopped when it is given again: scenes whose files are
    there already, from the same pixels, weights and options, are not predicted again.
    """
    runs, scenes = _sorted(given)
    files = _outputs(runs, scenes, output)
    said: list[str] = []  # a bar and lines of text do not share a terminal
    try:
        with progress_bar("predicting") as show:
            progress = _Overall(show)
            predictions = wb.predict(
                runs if len(runs) > 1 else runs[0], scenes, scale=scale, date=_dates(date),
                bands=bands.split(",") if bands else None, gsd=_gsd(gsd), window=window,
                overlap=overlap, batch_size=batch_size, store=store, device=device,
                progress=progress,
            )  # fmt: skip
            planned = predictions.planned()
            there = [scene for scene, paths in files.items()
                     if _is_there(paths.values(), planned[scene].stamp, probability, polygons)]
            said += [f"{path} is there already" for scene in there
                     for path in files[scene].values()]
            waiting = [scene for scene in scenes if scene not in there]
            for folder in {path.parent for scene in waiting for path in files[scene].values()}:
                with unwritable_explained(str(folder), "Give another place: --output FOLDER."):
                    require_writable(folder)
            progress.expect([planned[scene].windows for scene in waiting])
            for scene in waiting:
                for path in _written(predictions[scene], files[scene], probability, polygons):
                    said.append(f"wrote {path}")
                progress.next()
    finally:
        print(*said, sep="\n", end="\n" if said else "")


def _written(prediction: xr.Dataset, files: Mapping[str, Path], probability: bool,
             polygons: bool) -> Iterator[Path]:
    """Write the prediction of a scene run by run; yield each file once it is whole."""
    for run, path in files.items():
        one = prediction.sel(run=run) if "run" in prediction.dims else prediction
        yield wb.to_cog(one, path, probability=probability)
        if polygons:
            yield wb.to_polygons(one, path.with_suffix(".gpkg"))


class _Overall:
    """Shows the windows of all scenes as one number, so that the time left is that of all."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self.show = show
        self.sizes: list[int] = []
        self.finished = 0

    def expect(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def next(self) -> None:
        self.finished += 1

    def __call__(self, done: int, _: int) -> None:
        self.show(sum(self.sizes[: self.finished]) + done, sum(self.sizes))


def _sorted(given: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Tell runs and scenes apart: a scene is no folder."""
    folders = [text for text in given if Path(text).is_dir()]
    scenes = [text for text in given if text not in folders]
    if not folders:
        wb.open_run(given[0])  # says what is wrong with it
    if not scenes:
        raise DataError(f"There is no scene among {', '.join(given)}: all are folders. Give files "
                        "or addresses after the runs.")
    return [wb.open_run(folder) for folder in folders], scenes


def _outputs(runs: Sequence[Run], scenes: Sequence[str],
             output: Path | None) -> dict[str, dict[str, Path]]:
    """Return where each scene's prediction by each run is written."""
    several = len(runs) * len(scenes) > 1
    is_file = output is not None and bool(output.suffix) and not output.is_dir()
    if several and is_file:
        raise DataError(f"--output {output} is one file, and {len(runs)} × {len(scenes)} are to "
                        "be written. Give a folder.")
    folder = Path() if output is None else output
    found = {scene: {run.name: folder if is_file
                     else folder / f"{Path(urlsplit(scene).path).stem}_{run.name}.tif"
                     for run in runs} for scene in scenes}
    paths = [path for by_run in found.values() for path in by_run.values()]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise DataError(f"Two predictions would be written to {twice}: scenes or runs have the "
                        "same name. Predict them by two commands, each with its own --output "
                        "folder.")
    return found


def _is_there(paths: Iterable[Path], stamp: str | None, probability: bool, polygons: bool) -> bool:
    """Return whether all files of a prediction are there already."""
    from workbench.prediction.cog import cog_stamp

    paths = list(paths)
    beside = [path.with_name(f"{path.stem}_probability.tif") for path in paths if probability]
    outlines = [path.with_suffix(".gpkg") for path in paths if polygons]
    return (stamp is not None and all(path.exists() for path in outlines)
            and all(cog_stamp(path) == stamp for path in (*paths, *beside)))


def _dates(text: str | None) -> str | list[str] | None:
    return text.split(",") if text and "," in text else text


def _gsd(text: str | None) -> Any:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text  # a word, which predict knows
