"""scene_view: a part of a large scene and its predictions, thinned for a screen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from workbench.data import ClassInfo
from workbench.errors import DataError, GridError, unknown_name
from workbench.prediction.grid import Grid
from workbench.prediction.result import NODATA, dataset
from workbench.prediction.showable import Shown, shown_predictions, shown_scene
from workbench.prediction.thinning import (
    Bounds,
    Part,
    Thinned,
    bounds_of,
    checked_bounds,
    part_in,
    whole,
)

PredictionLike = xr.Dataset | str | Path
# Without overviews the whole scene is kept at this side: what is further out is cut from it.
_KEPT_SIDE = 1536
_KINDS = ("image", "class", "probability")


def scene_view(predictions: PredictionLike | Mapping[str, PredictionLike],
               scene: str | Path | xr.DataArray | xr.Dataset | None = None, *,
               bounds: Bounds | None = None, side: int = 1024,
               bands: Sequence[str] | None = None) -> xr.Dataset:
    """Return what a screen shows of a scene and its predictions, read from overviews.

    However large they are, no more is read than that takes: of Cloud Optimized GeoTIFFs their
    overviews, of predictions on disk and of dask arrays every so many pixels. Thinned classes are
    those of single pixels, never mixed. `wb.plot` draws it, `wb.scene_map` shows it on a map.

    Args:
        predictions: What `wb.predict` returned, or the GeoTIFF that `wb.to_cog` wrote (the
            probability is taken from the file beside it); or several by name.
        scene: The scene they were made from: path or address of a GeoTIFF, or an array.
        bounds: West, south, east and north in degrees, across the antimeridian with west above
            east or longitudes beyond 180. By default all of it.
        side: Rows and columns at most.
        bands: Names of the bands of `scene` in its order, where it does not say them itself.

    Returns:
        `class` ``(run, y, x)`` uint8 with its legend, and where they are known `probability` and
        `image` ``(band, y, x)`` as stored, on their own coarser grid. 255 and NaN where there is
        none. The attribute `step` says how many pixels became one.

    Raises:
        GridError: Predictions or scene lie on other grids, or nowhere.
        DataError: A file cannot be read, there is nothing within the bounds or they are none, or
            classes differ.
        BandError: `bands` does not name the bands of the scene.
        DownloadError: A server does not answer.
    """
    if side < 1:
        raise DataError(f"side={side} is below 1 pixel.")
    if bounds is not None:
        bounds = checked_bounds(bounds)
    opened = Scene(predictions, scene, bands=bands)
    part = opened.part(bounds, side)
    if part is None:
        raise DataError(f"bounds={tuple(bounds or ())} lie outside of the scene, which reaches "
                        f"over {tuple(round(edge, 5) for edge in opened.bounds)}: west, south, "
                        "east, north in degrees.")
    return opened.view(part)


class Scene:
    """A scene and its predictions on one grid, opened to be looked at part by part.

    Args:
        predictions: As for `scene_view`.
        scene: As for `scene_view`.
        bands: As for `scene_view`.

    Attributes:
        runs: Names of the predictions.
        classes: Their classes.
        bands: Names of the bands of the scene; none without one.
        grid: Where their pixels are.
        bounds: The box round it in degrees.
        simulated: Whether the pixels were computed, where that is known.
    """

    def __init__(self, predictions: PredictionLike | Mapping[str, PredictionLike],
                 scene: str | Path | xr.DataArray | xr.Dataset | None = None, *,
                 bands: Sequence[str] | None = None) -> None:
        found = shown_predictions(predictions)
        self.runs = [name for shown in found for name in shown.runs]
        if twice := [name for name in self.runs if self.runs.count(name) > 1]:
            raise DataError(f"Two of the predictions are called {twice[0]!r}. Name them: "
                            "{'first': …, 'second': …}.")
        self.classes = _same_classes(found)
        self.source = found[0].source
        self.simulated = any(shown.simulated for shown in found)
        self._thinned: dict[str, list[Thinned]] = {"class": [shown.classes_of for shown in found]}
        if all(shown.probability for shown in found):
            self._thinned["probability"] = [shown.probability for shown in found
                                            if shown.probability]
        self.bands: tuple[str, ...] = ()
        if scene is not None:
            self.bands, opened = shown_scene(scene, bands)
            self._thinned["image"] = [opened]
        self.grid: Grid = found[0].classes_of.grid
        _require_one_grid([one for several in self._thinned.values() for one in several])
        self.bounds = bounds_of(self.grid)
        self._all: dict[str, npt.NDArray] = {}

    @property
    def kinds(self) -> list[str]:
        """Which of image, class and probability there are."""
        return [kind for kind in _KINDS if kind in self._thinned]

    @property
    def all(self) -> Part:
        """The whole scene as it is kept."""
        return whole(self.grid, _KEPT_SIDE)

    def part(self, bounds: Bounds | None, side: int) -> Part | None:
        """Return what lies within bounds with at most `side` rows and columns, None for nothing."""
        return whole(self.grid, side) if bounds is None else part_in(self.grid, bounds, side)

    def view(self, part: Part, kinds: Iterable[str] | None = None) -> xr.Dataset:
        """Return a part of the scene; see `scene_view`.

        Args:
            part: Which.
            kinds: What is wanted of it, beside the classes; by default all there is.
        """
        wanted = dict.fromkeys(["class", *(self.kinds if kinds is None else kinds)])
        if unknown := [kind for kind in wanted if kind not in self._thinned]:
            raise unknown_name("part of the scene", unknown[0], self.kinds, "Scene.kinds")
        pixels = {kind: self._pixels(kind, part) for kind in wanted}
        arrays = {kind: found for kind, found in pixels.items() if kind != "image"}
        facts = {"source": self.source, "simulated": int(self.simulated), "step": part.step}
        found = dataset(arrays, part.of(self.grid), self.classes, self.runs, facts)
        if "image" in pixels:
            found = found.assign(image=(("band", "y", "x"), pixels["image"]))
            found = found.assign_coords(band=list(self.bands))
        return found

    def _pixels(self, kind: str, part: Part) -> npt.NDArray:
        """Read a part, or take it from the whole where that is as fine and reading is dear."""
        kept = self.all
        if part.step < kept.step or all(one.overviews for one in self._thinned[kind]):
            return self._read(kind, part)
        if kind not in self._all:
            self._all[kind] = self._read(kind, kept)
        rows, columns = (
            (start + np.arange(size) * part.step) // kept.step
            for start, size in ((part.top, part.rows), (part.left, part.columns)))
        every = part.step // kept.step
        if kind != "image":  # a probability is that of its pixel's class
            return _picked(self._all[kind], rows + every // 2, columns + every // 2)
        return _averaged(self._all[kind], rows, columns, every)

    def _read(self, kind: str, part: Part) -> npt.NDArray:
        found = [_valid(kind, one.read(part), one.nodata) for one in self._thinned[kind]]
        return np.concatenate(found)


def _picked(pixels: npt.NDArray, rows: npt.NDArray, columns: npt.NDArray) -> npt.NDArray:
    rows, columns = (np.minimum(places, size - 1)
                     for places, size in ((rows, pixels.shape[1]), (columns, pixels.shape[2])))
    return pixels[:, rows[:, None], columns]


def _averaged(pixels: npt.NDArray, rows: npt.NDArray, columns: npt.NDArray,
              every: int) -> npt.NDArray:
    """Return the means of `every` × `every` pixels that begin at rows and columns, without NaN."""
    total = np.zeros((len(pixels), len(rows), len(columns)), np.float32)
    count = np.zeros(total.shape, np.uint16)
    for down in range(every):
        for right in range(every):
            one = _picked(pixels, rows + down, columns + right)
            known = np.isfinite(one)
            total += np.where(known, one, 0)
            count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _valid(kind: str, stored: npt.NDArray, nodata: frozenset[float]) -> npt.NDArray:
    """Return pixels with what is none as 255 or NaN."""
    missing = np.zeros(stored.shape, bool) if stored.dtype.kind != "f" else ~np.isfinite(stored)
    for value in nodata:
        if not math.isnan(value):
            missing |= stored == value
    if kind == "class":
        return np.where(missing | (stored < 0) | (stored > NODATA), NODATA, stored).astype(np.uint8)
    pixels = stored.astype(np.float32)
    pixels[missing] = np.nan
    if kind == "image":
        pixels[:, missing.any(axis=0)] = np.nan
    return pixels


def _same_classes(found: Sequence[Shown]) -> tuple[ClassInfo, ...]:
    first = found[0]
    for shown in found[1:]:
        if [entry.name for entry in shown.classes] != [entry.name for entry in first.classes]:
            raise DataError(
                f"The prediction of {shown.runs[0]!r} has the classes "
                f"{', '.join(entry.name for entry in shown.classes)}, that of {first.runs[0]!r} "
                f"has {', '.join(entry.name for entry in first.classes)}: they cannot lie on one "
                "map.")
    return first.classes


def _require_one_grid(found: Sequence[Thinned]) -> None:
    first = found[0].grid
    for one in found[1:]:
        own = one.grid
        if (own.height, own.width, own.crs) != (first.height, first.width, first.crs) \
                or not own.transform.almost_equals(first.transform):
            raise GridError(
                f"{one.name} is not on the grid of {found[0].name}: {own.height} × {own.width} "
                f"pixels in {own.crs} against {first.height} × {first.width} in {first.crs}. A "
                "prediction that was resampled (gsd=) fits the scene once that is resampled too: "
                "scene.rio.reproject_match(prediction).")
