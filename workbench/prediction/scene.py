"""predict: every pixel of a scene, on the scene's own grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import xarray as xr

from workbench.assembly import Model
from workbench.prediction.job import Options, Progress, prepare
from workbench.prediction.result import NODATA
from workbench.prediction.sources import AnySource
from workbench.prediction.trained import open_trained
from workbench.runs import Run

__all__ = ["NODATA", "predict"]


def predict(run: Run | Model | Iterable[Run | Model], source: AnySource, *,
            bands: Sequence[str] | None = None, scale: float | None = None,
            date: str | None = None,
            window: int | None = None, overlap: int | None = None,
            batch_size: int | None = None, entropy: bool = False,
            device: str = "auto", progress: Progress | None = None) -> xr.Dataset:
    """Predict every pixel of a scene in overlapping windows, blended without a seam.

    The scene is read strip by strip, so memory beyond the result (5 bytes a pixel) does not grow
    with its height. Probabilities of overlapping windows are averaged with cosine weights; the
    outermost quarter of the overlap is thrown away (`workbench.prediction.windows`).

    Args:
        run: A run, whose best checkpoint is used, or a model from `wb.load_model`; or several,
            which give the dimension `run`. What their backbones have in common is in memory once,
            and linear probes of one backbone run it once.
        source: Path of a GeoTIFF, or an array with a CRS: bands, rows and columns in any order,
            bands named by a coordinate `band` or by `long_name`. Values as the training files
            store them; the scale and offset of the run's dataset are applied.
        bands: Names of the bands of `source` in its order, where it does not say them itself.
        scale: What the values of `source` are multiplied by instead, such as 1 for reflectance.
        date: ISO date of the scene, for a model trained with `metadata="time"` or `"both"`; others
            do not look at it. The location, where a model is told it, is each window's centre.
        window: Side of a window in pixels; by default that of the run's training chips.
        overlap: Pixels that neighbouring windows share; by default a quarter of the window.
        batch_size: Windows in one pass; by default as many as 16 of 128 × 128.
        entropy: Also return `entropy`, Shannon's entropy of the class probabilities in nats.
        device: `auto`, `cpu`, `cuda`, `mps`.
        progress: Called with the rows done and the number of rows.

    Returns:
        `class` ``(y, x)`` uint8, 255 where there is nodata, and `probability` ``(y, x)`` float32,
        that of the predicted class, NaN where there is nodata: where a band that the model needs
        is nodata, NaN or infinite. Several runs give ``(run, y, x)`` with their names. CRS and
        transform are those of the source.

    Raises:
        BandError: A band is missing or not named, or its values are in other units.
        GridError: The source does not say where its pixels are.
        DataError: The file cannot be read.
        RunError: Several runs have other classes, bands or units, or the same name.
        RecipeError: `window`, `overlap` or `batch_size` is out of range, or the model needs `date`.

    Warns:
        PredictionWarning: Bands without names are taken for those of the training data, or
            values are unusual.
    """
    options = Options(bands, scale, date, window, overlap, batch_size, entropy)
    return prepare(open_trained(run, device), source, options).in_memory(progress)
