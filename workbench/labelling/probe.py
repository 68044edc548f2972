"""LabelProbe: round after round of labels, heads and maps on one scene."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rasterio.crs import CRS

from workbench.assembly import build_model, save_model, select_device
from workbench.data.labels import Labels
from workbench.data.raster import window_transform
from workbench.errors import LabelError, RecipeError
from workbench.labelling.gathering import Progress, Windows, gather
from workbench.labelling.kept import KeptFeatures
from workbench.labelling.solving import scaling, solve
from workbench.models.loading import find_facts
from workbench.models.segmenter import Segmenter
from workbench.peft import LinearProbe
from workbench.prediction.grid import raster_grid
from workbench.prediction.job import Options, prepare
from workbench.prediction.sources import Needs, Source
from workbench.prediction.trained import Trained
from workbench.recipe import Recipe
from workbench.storage import atomic_folder
from workbench.training.features import frozen_features

RECIPE = Recipe(peft=LinearProbe(), decoder="pixelwise")
# Rows and columns that the scene is thinned to for its band statistics.
_STATISTICS_SIDE = 512
# Row, column, height and width of a part of a scene.
Area = tuple[int, int, int, int]


def fit_labels(labels: Labels, recipe: Recipe = RECIPE, *, device: str = "auto",
               folder: str | Path | None = None, progress: Progress | None = None) -> Segmenter:
    """Train a linear head on the frozen features under labels, in seconds, and return the model.

    It learns from every label there is: there is no score in it, only a first look. For a score,
    train on `labels.dataset(…).split()` with `wb.fit`. Features are kept on disk (as those of
    `wb.fit`), so the next call after a few more labels takes a moment.

    Args:
        labels: At least two classes are drawn.
        recipe: Whose backbone; the method is "linear_probe", the decoder "pixelwise".
        device: `auto`, `cpu`, `cuda`, `mps`.
        folder: Where to write the model too, for `wb.load_model`; what was there is replaced.
        progress: Called with the windows done and their number.

    Returns:
        A model that `wb.predict` takes, for this scene or others of the same sensor.

    Raises:
        LabelError: Fewer than two classes are drawn on pixels that have a value.
        RecipeError: The recipe trains more than a linear head, or is told dates.
        BandError: The backbone does not know a band.
    """
    model = LabelProbe(labels, recipe, device=device).fit(progress)
    if folder is not None:
        with atomic_folder(Path(folder), replace=True) as place:
            save_model(model, place)
    return model


class LabelProbe:
    """A frozen backbone on one scene; each `fit` is a head for the labels there are by then.

    Args:
        labels: The labels; they may change between rounds.
        recipe: As for `fit_labels`.
        device: As for `fit_labels`.
    """

    def __init__(self, labels: Labels, recipe: Recipe = RECIPE, *, device: str = "auto") -> None:
        if not isinstance(labels, Labels):
            raise LabelError(f"{labels!r:.80} are no labels: wb.Labels('scene.tif', classes=[…]) "
                             "makes them, and wb.label(…).value.")
        _require_head(recipe)
        self.labels, self.device = labels, select_device(device)
        imagery = labels.imagery
        side = find_facts(recipe.backbone).image_size
        self._windows = Windows(imagery.raster.height, imagery.raster.width, side, side // 4)
        model = build_model(
            recipe, classes=labels.classes, bands=imagery.bands, image_size=side,
            scale=imagery.scale, offset=imagery.offset, **_statistics(labels),
        )
        assert isinstance(model, Segmenter)
        model = model.to(self.device).eval()
        frozen = frozen_features(model, recipe, self.device, "fp32")
        assert frozen is not None
        self._base = KeptFeatures(model, frozen)

    def fit(self, progress: Progress | None = None) -> KeptFeatures:
        """Return a model for the labels as they are; see `fit_labels`."""
        model = KeptFeatures(self._base, self._base.frozen).eval()
        drawn = gather(self.labels, model, self._windows, self.device, progress or _silent)
        classes = self.labels.classes
        there = [classes[kind].name for kind in np.unique(drawn.kinds)]
        if len(there) < 2:
            raise LabelError(
                f"{'Only ' + there[0] if there else 'Nothing'} is labelled on "
                f"{self.labels.imagery.path.name}; a map needs labels of at least two classes of "
                f"{', '.join(entry.name for entry in classes)}."
            )
        scale = scaling(drawn.around, model.decoder.groups)
        weight, bias = solve(drawn.vectors, drawn.kinds, drawn.counts, len(classes), scale)
        model.decoder.set_head(weight, bias)
        return model

    def predict(self, model: KeptFeatures, area: Area | None = None,
                progress: Progress | None = None) -> xr.Dataset:
        """Return what `wb.predict(model, scene, entropy=True)` does, or the same of a part.

        Args:
            model: From `fit`.
            area: Row, column, height and width of the part; use `snapped`.
            progress: Called with the windows done and their number.
        """
        imagery, raster = self.labels.imagery, self.labels.imagery.raster
        top, left, height, width = area or (0, 0, raster.height, raster.width)
        grid = raster_grid(height, width, CRS.from_user_input(imagery.crs),
                           window_transform(raster.transform, top, left))
        source = Source(str(imagery.path), grid,
                        lambda row, column, rows, columns: imagery.read(
                            top + row, left + column, rows, columns))
        needs = Needs(imagery.bands, imagery.stored_bands, imagery.scale, imagery.offset,
                      imagery.nodata)
        side, overlap = self._windows.side, self._windows.overlap
        trained = Trained((model,), needs, (side,), {})
        # One window at a time: each is looked up, and progress is told often.
        options = Options(window=side, overlap=overlap, batch_size=1, entropy=True)
        return prepare(trained, source, options).in_memory(progress)

    def snapped(self, area: Area) -> Area:
        """Return the least part that holds `area` and whose windows are those of the whole scene.

        Only then are features found again that were computed for another part.
        """
        (top, height), (left, width) = (
            self._snapped(start, length, whole) for start, length, whole in
            zip(area[:2], area[2:], (self._windows.height, self._windows.width), strict=True))
        return top, left, height, width

    def _snapped(self, start: int, length: int, whole: int) -> tuple[int, int]:
        side, stride = self._windows.side, self._windows.side - self._windows.overlap
        first = max(0, min(start, whole - side)) // stride * stride
        end = max(first + 1, min(start + length, whole))
        count = max(0, math.ceil((end - first - side) / stride))
        last = first + side + count * stride
        return (first, last - first) if last <= whole else (first, whole - first)


def _require_head(recipe: Recipe) -> None:
    if not isinstance(recipe.peft, LinearProbe) or recipe.decoder != "pixelwise":
        raise RecipeError(
            f"Labels are fitted in seconds with peft='linear_probe' and decoder='pixelwise', not "
            f"{recipe.peft.kind!r} and {recipe.decoder!r}: wb.Recipe(backbone=…, "
            "peft='linear_probe', decoder='pixelwise'). To train more on them: wb.fit(recipe, "
            "labels.dataset(chip_size=…).split())."
        )
    if recipe.coords:
        raise RecipeError(f"metadata={recipe.metadata!r}: labels know no date; use 'none'.")


def _statistics(labels: Labels) -> dict[str, Any]:
    """Return mean and standard deviation of the scene's bands, thinned; the same every time."""
    image = labels.imagery.thinned(_STATISTICS_SIDE)
    pixels = image[:, np.isfinite(image[0])].astype(np.float64)
    if not pixels.size:
        raise LabelError(f"{labels.imagery.path.name} has no pixel with a value in all bands.")
    return {"mean": pixels.mean(1).tolist(), "std": np.maximum(pixels.std(1), 1e-12).tolist()}


def _silent(done: int, total: int) -> None:
    """Tell nobody."""
