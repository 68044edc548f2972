"""predict: every pixel of a scene, on the scene's own grid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import xarray as xr

from workbench import data
from workbench.assembly import Model
from workbench.errors import DataError, RecipeError
from workbench.prediction.chips import chip_source
from workbench.prediction.ground import Gsd
from workbench.prediction.job import Job, Options, Progress, prepare
from workbench.prediction.keeping import planned, predicted
from workbench.prediction.many import Planned, Predictions, source_names
from workbench.prediction.result import NODATA
from workbench.prediction.sources import AnySource
from workbench.prediction.trained import open_trained
from workbench.runs import Run

__all__ = ["NODATA", "predict"]

Runs = Run | Model | Iterable[Run | Model]
Sources = data.Dataset | Mapping[str, AnySource] | Iterable[AnySource]


@overload
def predict(run: Runs, source: AnySource, **options: Any) -> xr.Dataset: ...
@overload
def predict(run: Runs, source: Sources, **options: Any) -> Predictions: ...
def predict(run: Runs, source: AnySource | Sources, *,  # type: ignore[misc]
            bands: Sequence[str] | None = None, scale: float | None = None,
            date: str | Sequence[str] | None = None, gsd: Gsd = None,
            window: int | None = None, overlap: int | None = None,
            batch_size: int | None = None, entropy: bool = False,
            store: str | Path | None = None,
            device: str = "auto", progress: Progress | None = None) -> xr.Dataset | Predictions:
    """Predict every pixel of a scene in overlapping windows, blended without a seam.

    Memory does not grow with the scene: it is read in panels of 2048 columns, as many more as a
    large batch needs (a file whose pixels lie in full rows: in full rows), strip by strip, and
    blocks are written, while the model is at work. A result above 64 MB goes to disk and comes
    back as arrays that read what is looked at; the same call after an interruption goes on where
    that stopped. Probabilities of overlapping
    windows are averaged with cosine weights; the outermost quarter of the overlap is thrown away
    (`workbench.prediction.windows`). What is left of a window's edges: `wb.seams`.

    Args:
        run: A run, whose best checkpoint is used, or a model from `wb.load_model`; or several,
            which give the dimension `run`, each seeing its own bands. What their backbones have
            in common is in memory once, and linear probes of one backbone run it once. Models of
            runs are kept for the next call.
        source: Path or http(s) address of a GeoTIFF, COG or VRT; an array with a CRS: bands, rows
            and columns in any order, bands named by a coordinate `band` or by `long_name`; a
            dataset with one variable a band; a dataset of chips, such as `split.test`. For a model
            of several dates an array or dataset has the dimension `time` too, a file all bands of
            the first date, then all of the second. Values as
            the training files store them; the scale and offset of the run's dataset are applied.
            A list or mapping of sources, or chips, give a mapping that predicts what is looked up.
        bands: Names of the bands of `source` in its order, where it does not say them itself.
        scale: What the values of `source` are multiplied by instead, such as 1 for reflectance.
        date: ISO date of the scene, for a model trained with `metadata="time"` or `"both"`; others
            do not look at it; a list for several dates, by default the coordinate of `time`. The
            location, where a model is told it, is each window's centre.
        gsd: Side of a pixel on the ground. `"training"`, or metres, resamples the source, to a UTM
            grid where its own is not in true metres; `"source"` takes any pixels as they are.
            Without it, pixels of more than 1.25 times another size than in training are refused.
        window: Side of a window in pixels; by default that of the run's training chips.
        overlap: Pixels that neighbouring windows share; by default a quarter of the window.
        batch_size: Windows in one pass; by default as many as 16 of 128 × 128, on an accelerator
            80 of 224 × 224. Where its memory is full there are fewer.
        entropy: Also return `entropy`, Shannon's entropy of the class probabilities in nats.
        store: Folder for the finished blocks, whatever the size. By default large predictions of
            files and addresses have one below `predictions` of the run, those of arrays a
            temporary one.
        device: `auto`, `cpu`, `cuda`, `mps`.
        progress: Called with the windows done and their number; by default large predictions
            show a bar with the time left.

    Returns:
        `class` ``(y, x)`` uint8, 255 where there is nodata, and `probability` ``(y, x)`` float32,
        that of the predicted class, NaN where there is nodata: where a band that the model needs
        is nodata, NaN or infinite. Several runs give ``(run, y, x)`` with their names. CRS and
        transform are those of the source, or of what it was resampled to.

    Raises:
        BandError: A band is missing or not named, or its values are in other units.
        GridError: The source does not say where its pixels are, or they are of another size.
        DataError: The file cannot be read, is of another number of dates than the run's chips, or
            `store` holds another prediction.
        DownloadError: A server does not answer, or a connection breaks off again and again.
        OutOfSpaceError: The disk has no room for a large prediction.
        RunError: Several runs have other classes or units, or the same name; or a window
            is too much for the memory of the device.
        RecipeError: `window`, `overlap` or `batch_size` is out of range, or the model needs `date`.

    Warns:
        PredictionWarning: Bands without names are taken for those of the training data, values
            are unusual, or no pixel has a value.
    """
    options = Options(bands, scale, date, gsd, window, overlap, batch_size, entropy)
    trained = open_trained(run, device)

    def opened(one: AnySource) -> Job:
        return prepare(trained, one, options)

    def scene(one: AnySource, store: str | Path | None = store) -> xr.Dataset:
        return predicted(opened(one), options, store, progress)

    if isinstance(source, data.Dataset):
        if bands is not None or scale is not None:
            raise RecipeError("Chips say their bands and units themselves; leave out bands= and "
                              "scale=, which are for rasters and arrays.")

        def opened_chip(name: str) -> Job:
            return prepare(trained, chip_source(source, name, trained.needs, gsd), options)

        def chip(name: str) -> xr.Dataset:
            return predicted(opened_chip(name), options, _below(store, name), progress)

        def plan_chip(name: str) -> Planned:
            return planned(opened_chip(name), options)

        return Predictions({name: partial(chip, name) for name in source},
                           {name: partial(plan_chip, name) for name in source}, source.info.name)
    if isinstance(source, data.Split):
        raise DataError("A split has several parts; predict one: split.test, split.held_out.")
    if isinstance(source, (str, Path, xr.DataArray, xr.Dataset)) \
            or not isinstance(source, Iterable) or hasattr(source, "__array__"):
        return scene(source)  # type: ignore[arg-type]  # said to be none, where it is none

    def plan(one: AnySource) -> Planned:
        return planned(opened(one), options)

    named = source_names(source)
    return Predictions(
        {name: partial(scene, one, _below(store, name)) for name, one in named.items()},
        {name: partial(plan, one) for name, one in named.items()}, f"{len(named)} sources")


def _below(store: str | Path | None, name: str) -> Path | None:
    key = hashlib.sha256(json.dumps(name).encode()).hexdigest()[:16]
    return None if store is None else Path(store) / key
