"""The index of a dataset: one row a chip, gathered by reading every chip once, in threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely

from workbench.data.chipping import ChipWindow, block_side, chip_windows
from workbench.data.footprints import footprints
from workbench.data.info import DatasetInfo
from workbench.data.progress import Bar
from workbench.data.raster import Raster, read_window
from workbench.data.reading import read_pixels
from workbench.data.regions import regions_by_polygon
from workbench.errors import DataError, GridError, LabelError

# Chips of a task: enough to amortise opening a file, few enough to spread one scene over threads.
_CHIPS_A_TASK = 64
# Reading that takes longer shows a bar: few chips are indexed before one could be read.
_PATIENCE_S = 2.0
# Overlap of two chips, as a share of the smaller, above which they show the same ground; edges
# that merely touch differ by rounding of the coordinates.
OVERLAP = 0.01


@dataclass(frozen=True)
class Scene:
    """An image with its mask, and its region where the file name decides it."""

    name: str
    image: Raster
    mask: Raster
    region: str | None


def index_scenes(scenes: Sequence[Scene], info: DatasetInfo,
                 polygons: geopandas.GeoDataFrame | None
                 ) -> tuple[geopandas.GeoDataFrame, dict[str, str], dict[str, str]]:
    """Read every chip once and return the index, the bad chips and those outside the polygons.

    A reason is a kind ("unreadable", "no label"), a colon and the details.

    Raises:
        LabelError: A mask holds a value that is neither a class nor a no-label value.
        GridError: Polygons decide the region but a scene has no CRS.
    """
    tasks = [
        (scene, windows[start : start + _CHIPS_A_TASK])
        for scene in scenes
        for windows in [list(chip_windows(scene.image.height, scene.image.width, info.chip_shape))]
        for start in range(0, len(windows), _CHIPS_A_TASK)
    ]
    total, done, found = sum(len(windows) for _, windows in tasks), 0, []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, Bar(_PATIENCE_S) as show:
        read = pool.map(lambda task: _index_task(task[0], task[1], info), tasks)
        for (_, windows), part in zip(tasks, read, strict=True):
            found.append(part)
            done += len(windows)
            show(done, total)
    rows = [row for task_rows, _ in found for row in task_rows]
    bad = {chip: reason for _, left_out in found for chip, reason in left_out.items()}
    if not rows:
        return geopandas.GeoDataFrame(), bad, {}
    table = pd.DataFrame(rows).set_index("chip_id")
    grids = {scene.name: scene.image.transform[:6] for scene in scenes}
    outlines = footprints(table, np.array([grids[name] for name in table["scene"]]))
    chips = geopandas.GeoDataFrame(table.drop(columns="scene"), geometry=outlines, crs="EPSG:4326")
    outside: dict[str, str] = {}
    if polygons is not None:
        chips, outside = _take_regions(chips, polygons)
    return merge_clusters(chips), bad, outside


def _index_task(scene: Scene, windows: Iterable[ChipWindow], info: DatasetInfo
                ) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rows, skipped = [], {}
    shape = info.chip_shape
    whole = scene.image.height <= shape[0] and scene.image.width <= shape[1]
    side = block_side(scene.image.height, scene.image.width, shape)
    for window in windows:
        chip_id = scene.name if whole else f"{scene.name}_{window.row:03d}_{window.col:03d}"
        block = f"{scene.name}/{window.row // side:02d}_{window.col // side:02d}"
        try:
            counts = count_pixels(info, scene.image, scene.mask.path, window)
        except LabelError:
            raise
        except DataError as error:
            skipped[chip_id] = f"unreadable: {error}"
            continue
        if isinstance(counts, str):
            skipped[chip_id] = counts
            continue
        rows.append({
            "chip_id": chip_id, "image": scene.image.path, "mask": scene.mask.path,
            "col_off": window.col_off, "row_off": window.row_off,
            "width": window.width, "height": window.height,
            "region": scene.region, "cluster": scene.name if whole else block,
            "date": None, "crs": scene.image.crs, "scene": scene.name, **counts,
        })
    return rows, skipped


def count_pixels(info: DatasetInfo, image: Raster, mask: str, window: ChipWindow
                 ) -> dict[str, float] | str:
    """Read a chip and return its valid fraction and its pixels of each class.

    Returns:
        `valid_fraction`, `count_<k>` and `count_ignore`; or the reason why it is of no use.

    Raises:
        DataError: It cannot be read.
        LabelError: The mask holds a value that is neither a class nor a no-label value.
    """
    _, labels, valid = read_pixels(info, image.path, mask, window)
    counts = np.bincount(labels.ravel() + 1, minlength=len(info.classes) + 1)
    pixels = window.height * window.width
    if not valid.any():
        nodata = image.nodata if info.nodata is None else info.nodata
        said = "" if nodata is None else f" ({nodata:g})"
        return (f"no valid pixel: each pixel of {image.path} is nodata{said}, NaN or infinite in "
                "one band at least")
    if not counts[1:].any():
        return f"no label: {mask} has no label where the image has valid pixels"
    return {
        "valid_fraction": float(valid.sum()) / pixels,
        **{f"count_{index}": int(count) for index, count in enumerate(counts[1:])},
        "count_ignore": pixels - int(counts[1:].sum()),
    }


def _take_regions(chips: geopandas.GeoDataFrame, polygons: geopandas.GeoDataFrame
                  ) -> tuple[geopandas.GeoDataFrame, dict[str, str]]:
    nowhere = chips[chips.geometry.isna()]
    if len(nowhere):
        raise GridError(
            f"{nowhere['image'].iloc[0]} has no CRS (or one that has no place on Earth), so region "
            "polygons cannot be applied to it. Write its CRS into it (`gdal_edit.py -a_srs "
            "EPSG:…`), or give the region by name."
        )
    regions, reasons = regions_by_polygon(chips.geometry, polygons)
    outside = {
        chip: reason for chip, reason in zip(chips.index, reasons, strict=True) if reason
    }
    chips = chips.assign(region=regions).drop(index=list(outside))
    spanning = chips.groupby("cluster")["region"].transform("nunique") > 1
    chips.loc[spanning, "cluster"] += "@" + chips.loc[spanning, "region"]
    return chips, outside


def merge_clusters(chips: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Give clusters one name where their chips overlap, as scenes of one place at two dates do."""
    first, second = overlapping(chips.geometry)
    clusters = chips["cluster"].to_numpy()
    parent = {cluster: cluster for cluster in clusters}

    def root(cluster: str) -> str:
        while parent[cluster] != cluster:
            parent[cluster] = cluster = parent[parent[cluster]]
        return cluster

    same_region = chips["region"].to_numpy()[first] == chips["region"].to_numpy()[second]
    for one, other in zip(clusters[first[same_region]], clusters[second[same_region]], strict=True):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return chips.assign(cluster=[root(cluster) for cluster in clusters])


def overlapping(footprints: geopandas.GeoSeries) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of all pairs of footprints that show the same ground."""
    shapes = footprints.to_numpy()
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    shared = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    smaller = np.minimum(shapely.area(shapes[first]), shapely.area(shapes[second]))
    same = shared > OVERLAP * smaller
    return first[same], second[same]


def values_in_masks(scenes: Sequence[Scene], no_label: Sequence[int]) -> list[int]:
    """Return the values found in all masks, less the no-label values and each file's nodata."""

    def values(scene: Scene) -> set[float]:
        found = set()
        for window in chip_windows(scene.mask.height, scene.mask.width, (1024, 1024)):
            try:
                labels = read_window(scene.mask.path, [1], window.row_off, window.col_off,
                                     window.height, window.width)
            except DataError:  # indexing will leave its chips out and say so
                continue
            found |= set(np.unique(labels[~np.isnan(labels)]).tolist())
        return found - {*no_label, scene.mask.nodata}

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = set().union(*pool.map(values, scenes))
    wrong = sorted(value for value in found if value != int(value))
    if wrong or len(found) > 256:
        raise LabelError(
            f"{scenes[0].mask.path} and its like do not look like class masks: "
            + (f"they hold {wrong[0]:g}." if wrong else f"they hold {len(found)} values.")
            + " Write class indices as integers, or pass classes=."
        )
    return sorted(int(value) for value in found)
