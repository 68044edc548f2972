"""Predictions and scenes that can be looked at: opened from files and arrays, with their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from rasterio.io import DatasetReader

from workbench.data import ClassInfo
from workbench.data.bands import find
from workbench.data.info import parse_classes
from workbench.data.raster import describe, open_raster
from workbench.data.readers.zarr_store import time_dim
from workbench.data.remote import is_remote
from workbench.errors import BandError, DataError
from workbench.prediction.arrays import array_names, banded
from workbench.prediction.frames import last_date
from workbench.prediction.grid import spatial_dims
from workbench.prediction.thinning import Thinned, thinned_arrays, thinned_file


class Shown(NamedTuple):
    """Predictions that came together: of one run, or of several on one grid.

    Attributes:
        runs: Their names.
        classes: What their numbers mean.
        classes_of: The class of every pixel, a layer each.
        probability: That of the class, where it is known.
        source: What was predicted.
        simulated: Whether the pixels were computed.
    """

    runs: tuple[str, ...]
    classes: tuple[ClassInfo, ...]
    classes_of: Thinned
    probability: Thinned | None
    source: str
    simulated: bool


def shown_predictions(given: Any) -> list[Shown]:
    """Open predictions; see `scene_view`.

    Raises:
        DataError: Something is no prediction, or does not say its classes.
    """
    if isinstance(given, Mapping) and not isinstance(given, xr.Dataset):
        if not given:
            raise DataError("There is nothing to show: pass a prediction, or several by name.")
        return [_opened(one, str(name)) for name, one in given.items()]
    return [_opened(given, None)]


def _opened(given: Any, name: str | None) -> Shown:
    if isinstance(given, xr.Dataset):
        return _of_dataset(given, name)
    if isinstance(given, (str, Path)):
        return _of_file(str(given), name)
    raise DataError(f"{type(given).__name__} is no prediction: pass what wb.predict returned, the "
                    "path of what wb.to_cog wrote, or a mapping of those by name.")


def _of_dataset(given: xr.Dataset, name: str | None) -> Shown:
    said = given["class"].attrs if "class" in given else {}
    if not {"flag_meanings", "flag_colors"} <= set(said):
        raise DataError("The dataset does not say its classes; pass what wb.predict returned.")
    classes = tuple(ClassInfo(name=word.replace("_", " "), color=color) for word, color in
                    zip(said["flag_meanings"].split(), said["flag_colors"].split(), strict=True))
    runs = [str(run) for run in given["run"].values] if "run" in given.dims else \
        [name or str(given.attrs.get("run", "prediction"))]
    if name is not None and len(runs) > 1:
        runs = [f"{name} {run}" for run in runs]
    of = {kind: thinned_arrays(f"the prediction of {runs[0]}", [_with_crs(given[kind], given)])
          for kind in ("class", "probability") if kind in given}
    return Shown(tuple(runs), classes, of["class"], of.get("probability"),
                 str(given.attrs.get("source", "")), bool(given.attrs.get("simulated", 0)))


def _of_file(path: str, name: str | None) -> Shown:
    opened = thinned_file(path, [1], classes=True)
    handle = open_raster(path)
    tags = handle.tags()
    beside = Path(path).with_name(f"{Path(path).stem}_probability{Path(path).suffix}")
    there = not is_remote(path) and beside.is_file()
    return Shown((name or tags.get("run") or Path(path).stem,), _legend(handle), opened,
                 thinned_file(beside, [1]) if there else None, tags.get("source", path),
                 tags.get("simulated") == "1")


def _legend(handle: DatasetReader) -> tuple[ClassInfo, ...]:
    """Return the classes that a file names (see `to_cog`), else those of its palette."""
    tags = handle.tags(1)
    names: list[str] = []
    while f"class_{len(names)}" in tags:
        names.append(tags[f"class_{len(names)}"].replace("_", " "))
    try:
        palette = handle.colormap(1)
    except ValueError:
        palette = {}
    if not names:
        if handle.dtypes[0] != "uint8":
            raise DataError(f"{handle.name} holds {handle.dtypes[0]} and does not name its "
                            "classes; pass a file that wb.to_cog wrote.")
        # Of a palette what stands behind the last colour is left as GDAL had it: black.
        last = max((value for value, color in palette.items()
                    if value != 255 and color[:3] != (0, 0, 0)), default=1)
        names = [f"class {value}" for value in range(last + 1)]
    if not palette:
        return parse_classes(names)[0]
    return tuple(ClassInfo(name=name, color="#{:02x}{:02x}{:02x}".format(*palette[value][:3]))
                 for value, name in enumerate(names))


def shown_scene(scene: Any, bands: Sequence[str] | None) -> tuple[tuple[str, ...], Thinned]:
    """Open a scene, of several dates the last one; returns the names of its bands, too.

    Raises:
        BandError: `bands` does not name its bands.
        DataError: It is none, or cannot be opened.
    """
    if isinstance(scene, (str, Path)):
        said: Sequence[str | None] = describe(str(scene)).descriptions
        shown = last_date(said)
        opened = thinned_file(scene, [place + 1 for place in shown])
        return _named(str(scene), [said[place] for place in shown], bands), opened
    if isinstance(scene, xr.Dataset | xr.DataArray) and (time := time_dim(scene)) is not None:
        scene = scene.isel({time: -1}, drop=True)
    if isinstance(scene, xr.Dataset):
        y, x = spatial_dims(scene)
        layers = {str(name): array for name, array in scene.data_vars.items()
                  if {y, x} == set(array.squeeze(drop=True).dims)}
        if not layers:
            raise DataError(f"No variable of the scene has the dimensions {y} and {x} alone.")
        arrays = [_with_crs(array.squeeze(drop=True), scene) for array in layers.values()]
        return _named("the scene", list(layers), bands), thinned_arrays("the scene", arrays)
    if isinstance(scene, xr.DataArray):
        dim, kept = banded(scene, *spatial_dims(scene))
        names = array_names(scene, dim, kept.shape[0])
        return _named("the scene", names, bands), thinned_arrays("the scene", [kept])
    raise DataError(f"{type(scene).__name__} is no scene: pass the path or address of a GeoTIFF, "
                    "or an array.")


def _with_crs(array: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    return array if dataset.rio.crs is None else array.rio.write_crs(dataset.rio.crs)


def _named(name: str, said: Sequence[str | None], bands: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(bands, str) or (bands is not None and len(bands) != len(said)):
        raise BandError(f"bands={bands!r} does not name the {len(said)} bands of {name}: pass a "
                        "list of names in their order.")
    given = list(said if bands is None else bands)
    found = [f"BAND {place}" if text is None else find(str(text)) or str(text).upper()
             for place, text in enumerate(given, 1)]
    if len(set(found)) < len(found):
        raise BandError(f"Two bands of {name} have one name ({', '.join(found)}). Name them: "
                        "bands=[…].")
    return tuple(found)
