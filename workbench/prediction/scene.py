"""predict: every pixel of a scene, on the scene's own grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from workbench.assembly import Model, load_model, select_device
from workbench.data import ClassInfo
from workbench.errors import RecipeError, RunError
from workbench.models.arithmetic import quick_float32
from workbench.prediction.blending import Corner, Forward, Pixels, Tiling, blended_rows
from workbench.prediction.grid import Grid
from workbench.prediction.metadata import Metadata, window_metadata
from workbench.prediction.sources import Needs, open_source
from workbench.prediction.units import checked
from workbench.runs import Run

NODATA = 255
# Window of a model that does not say what it was trained on: that of the published chips.
_WINDOW = 224
# Pixels of all windows that go through the model at once: 16 windows of 128 × 128.
_PIXELS_AT_ONCE = 2**18


@dataclass(frozen=True)
class _Trained:
    """A model with what it has to know about a source."""

    model: Model
    needs: Needs
    window: int
    facts: dict[str, Any]


def predict(run: Run | Model, source: str | Path | xr.DataArray, *,
            bands: Sequence[str] | None = None, scale: float | None = None,
            date: str | None = None,
            window: int | None = None, overlap: int | None = None,
            batch_size: int | None = None, device: str = "auto",
            progress: Callable[[int, int], object] | None = None) -> xr.Dataset:
    """Predict every pixel of a scene in overlapping windows, blended without a seam.

    The scene is read strip by strip, so memory beyond the result (5 bytes a pixel) does not grow
    with its height. Probabilities of overlapping windows are averaged with cosine weights; the
    outermost quarter of the overlap is thrown away (`workbench.prediction.windows`).

    Args:
        run: A run, whose best checkpoint is used, or a model from `wb.load_model`.
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
        device: `auto`, `cpu`, `cuda`, `mps`.
        progress: Called with the rows done and the number of rows.

    Returns:
        `class` ``(y, x)`` uint8, 255 where there is nodata, and `probability` ``(y, x)`` float32,
        that of the predicted class, NaN where there is nodata: where a band that the model needs
        is nodata, NaN or infinite. CRS and transform are those of the source.

    Raises:
        BandError: A band is missing or not named, or its values are in other units.
        GridError: The source does not say where its pixels are.
        DataError: The file cannot be read.
        RecipeError: `window`, `overlap` or `batch_size` is out of range, or the model needs `date`.

    Warns:
        PredictionWarning: Bands without names are taken for those of the training data, or
            values are unusual.
    """
    trained = _trained(run, device)
    needs = trained.needs
    if scale is not None:
        needs = Needs(needs.bands, needs.stored_bands, scale, nodata=needs.nodata)
    opened = open_source(source, needs, bands)
    window, overlap, batch_size = _settings(
        trained.window if window is None else window, overlap, batch_size)
    tiling = Tiling(opened.grid.height, opened.grid.width, window, overlap, batch_size)
    forward = _forward(trained.model, window_metadata(trained.model, opened.grid, tiling, date))
    num_classes = _num_classes(forward, needs, tiling)
    read = checked(opened, needs.bands, trained.model.description.mean)
    classes = np.full((tiling.height, tiling.width), NODATA, np.uint8)
    probability = np.full((tiling.height, tiling.width), np.nan, np.float32)
    for rows in blended_rows(read, forward, num_classes, tiling):
        here = slice(rows.top, rows.top + len(rows.valid))
        best = rows.probabilities.max(axis=0)
        if not np.isfinite(best[rows.valid]).all():
            raise RunError(
                "The model answers with values that are not finite; its weights are damaged or "
                "its training diverged. Train it again, or load another checkpoint."
            )
        classes[here] = np.where(rows.valid, rows.probabilities.argmax(axis=0), NODATA)
        probability[here] = best
        if progress is not None:
            progress(here.stop, tiling.height)
    facts = {**trained.facts, "source": opened.name, "window": window, "overlap": overlap}
    described = trained.model.description.classes
    return _dataset(classes, probability, opened.grid, described, facts)


def _trained(run: Run | Model, device: str) -> _Trained:
    if isinstance(run, Run):
        info, model = run.info, load_model(run, device=device)
        needs = Needs(model.description.bands, info.stored_bands, info.scale, info.offset,
                      info.nodata)
        facts = {"run": run.name, "checkpoint": "best", "simulated": int(info.simulated)}
        return _Trained(model, needs, max(info.chip_shape), facts)
    model = run if device == "auto" else run.to(select_device(device))
    said = model.description
    size = said.image_size or _WINDOW
    needs = Needs(said.bands, scale=said.scale, offset=said.offset)
    return _Trained(model.eval(), needs, size if isinstance(size, int) else max(size), {})


def _settings(window: int, overlap: int | None, batch_size: int | None) -> tuple[int, int, int]:
    if window < 1:
        raise RecipeError(f"window={window} is below 1 pixel.")
    overlap = window // 4 if overlap is None else overlap
    if not 0 <= overlap < window:
        raise RecipeError(f"overlap={overlap} is not from 0 to {window - 1}, below the window.")
    if batch_size is None:
        batch_size = max(1, min(16, _PIXELS_AT_ONCE // window**2))
    if batch_size < 1:
        raise RecipeError(f"batch_size={batch_size} is below 1 window.")
    return window, overlap, batch_size


def _forward(model: nn.Module, metadata: Metadata | None) -> Forward:
    tensors = itertools.chain(model.parameters(), model.buffers())
    device = next((tensor.device for tensor in tensors), torch.device("cpu"))

    @torch.inference_mode()
    @quick_float32()
    def forward(windows: Pixels, corners: Sequence[Corner]) -> Pixels:
        coords = () if metadata is None else (
            None if entry is None else entry.to(device) for entry in metadata(corners))
        logits = model(torch.from_numpy(windows).to(device), *coords)
        return logits.float().softmax(dim=1).cpu().numpy()

    return forward


def _num_classes(forward: Forward, needs: Needs, tiling: Tiling) -> int:
    """Return how many classes the model tells apart, by asking it about one empty window."""
    sides = min(tiling.window, tiling.height), min(tiling.window, tiling.width)
    answer = forward(np.full((1, len(needs.bands), *sides), np.nan, np.float32), [(0, 0)])
    assert answer.shape[2:] == sides, "a model answers for every pixel of its window"
    if answer.shape[1] >= NODATA:
        raise RunError(f"The model has {answer.shape[1]} classes; a class map holds up to 254.")
    return answer.shape[1]


def _dataset(classes: np.ndarray, probability: Pixels, grid: Grid,
             names: Sequence[ClassInfo], facts: dict[str, Any]) -> xr.Dataset:
    # Names and colours by the CF conventions, 3.5.
    attributes = {
        "long_name": "predicted class", "nodata": NODATA,
        "flag_values": np.arange(len(names), dtype=np.uint8),
        "flag_meanings": " ".join(entry.name.replace(" ", "_") for entry in names),
        "flag_colors": " ".join(entry.color for entry in names),
    }  # fmt: skip
    described = {"long_name": "probability of the predicted class", "units": "1"}
    return grid.georeferenced(xr.Dataset(
        {"class": (("y", "x"), classes, attributes),
         "probability": (("y", "x"), probability, described)}, attrs=facts))
