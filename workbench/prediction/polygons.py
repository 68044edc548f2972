"""to_polygons: a prediction as polygons in a GeoPackage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas
import numpy as np
import numpy.typing as npt
import rasterio.features
import rasterio.warp
import shapely
import xarray as xr
from affine import Affine
from pyproj import CRS, Transformer

from workbench.data.info import parse_classes
from workbench.errors import DataError, unknown_name
from workbench.prediction.grid import Grid, array_grid, spatial_dims
from workbench.prediction.result import NODATA, require_one_run
from workbench.storage import atomic_file

_ROWS = 1024
_LAYER = "prediction"
# Polygons written at once: some megabytes.
_BATCH = 5000


class _Piece(NamedTuple):
    """A polygon in pixels (column, row) and its class."""

    shape: shapely.Geometry
    value: int


def to_polygons(prediction: xr.Dataset, path: str | Path, *,
                classes: Sequence[str] | str | None = None, simplify: float | None = None,
                min_area_m2: float = 0.0) -> Path:
    """Write the connected areas of a prediction's classes as polygons of a GeoPackage.

    Pixels are connected by their sides. The raster is read strip by strip; a polygon is written
    as soon as it is complete, so memory holds those that are not. The layer `prediction` is in the
    CRS of the prediction, with the columns `class`, `value` (its number) and `area_m2`, measured
    in an equal-area projection about the middle of the scene (Lambert's, on WGS 84) after
    simplification. nodata is left out.

    Args:
        prediction: Of one run, as `wb.predict` returned it.
        path: Where to write, ending in .gpkg; an existing file is replaced.
        classes: Only these classes, such as `"water"`; by default all.
        simplify: Leave out corners nearer than this many pixels to the line between others: 1
            takes the steps of the pixels away. Neighbours are simplified each on its own, so
            their borders may then differ by as much.
        min_area_m2: Leave out smaller areas.

    Returns:
        The path.

    Raises:
        DataError: The path is no GeoPackage's, or the prediction is of several runs.
        UnknownNameError: No class of that name.
        OutOfSpaceError: The disk is full.
    """
    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise DataError(f"{path} does not end in .gpkg; a GeoPackage does.")
    if simplify is not None and not simplify > 0:
        raise DataError(f"simplify={simplify} is no length in pixels above 0.")
    require_one_run(prediction)
    grid = array_grid(prediction)
    predicted = prediction["class"].transpose(*spatial_dims(prediction))
    names = _class_names(predicted)
    wanted = _wanted(names, classes)
    area = _area_transformer(grid)
    with atomic_file(path) as temporary:
        temporary.unlink()  # GDAL makes it itself
        begun = False
        for batch in _batches(_pieces(predicted, wanted)):
            table = _table(batch, grid, names, area, simplify)
            table = table[table["area_m2"] >= min_area_m2]
            if len(table) or not begun:
                _append(table, temporary, begun)
                begun = True
        if not begun:
            _append(_table([], grid, names, area, simplify), temporary, begun)
    return path


def _append(table: geopandas.GeoDataFrame, path: Path, begun: bool) -> None:
    table.to_file(path, layer=_LAYER, driver="GPKG", engine="pyogrio", geometry_type="Unknown",
                  mode="a" if begun else "w")


def _wanted(names: Sequence[str], classes: Sequence[str] | str | None) -> list[int]:
    if classes is None:
        return list(range(len(names)))
    asked = [classes] if isinstance(classes, str) else list(classes)
    for name in asked:
        if name not in names:
            raise unknown_name("class", name, names, "the prediction's legend")
    return [names.index(name) for name in asked]


def _class_names(predicted: xr.DataArray) -> list[str]:
    said = predicted.attrs.get("flag_meanings")
    if said is not None:
        return [name.replace("_", " ") for name in str(said).split()]
    return [entry.name for entry in parse_classes([f"class {value}" for value in range(NODATA)])[0]]


def _pieces(predicted: xr.DataArray, wanted: Sequence[int]) -> Iterator[_Piece]:
    """Yield the complete polygons; what goes on below a strip waits for the next one."""
    height, width = predicted.shape
    waiting: dict[int, list[_Piece]] = {}
    above = np.zeros(width, np.int64)  # in which of them each pixel of the row above is, else 0
    number = 1
    for top in range(0, height, _ROWS):
        values = predicted[top : top + _ROWS].values
        bottom = top + len(values)
        new = dict(enumerate(_strip(values, top, wanted), number))
        number += len(new)
        roots = _joined(waiting, new, above, _row(new, top, width))
        groups: dict[int, list[_Piece]] = {}
        for member, pieces in [*waiting.items(), *((key, [piece]) for key, piece in new.items())]:
            groups.setdefault(roots[member], []).extend(pieces)
        last = _row(new, bottom - 1, width)
        above = np.array([0, *map(roots.get, np.unique(last[last > 0]))])[
            np.searchsorted(np.unique([0, *last]), last)]
        going_on = set(above.tolist()) if bottom < height else set()
        waiting = {root: group for root, group in groups.items() if root in going_on}
        yield from (_whole(group) for root, group in groups.items() if root not in going_on)


def _joined(waiting: dict[int, list[_Piece]], new: dict[int, _Piece],
            above: npt.NDArray[np.int64], first: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return the one member that stands for each polygon's: new pieces touch waiting ones."""
    parents = {member: member for member in (*waiting, *new)}

    def root(member: int) -> int:
        while parents[member] != member:
            parents[member] = parents[parents[member]]
            member = parents[member]
        return member

    touching = np.unique(np.stack([above, first])[:, (above > 0) & (first > 0)], axis=1)
    for upper, lower in touching.T.tolist():
        if waiting[upper][0].value == new[lower].value:
            parents[root(upper)] = root(lower)
    return {member: root(member) for member in parents}


def _row(pieces: dict[int, _Piece], row: int, width: int) -> npt.NDArray[np.int64]:
    """Return in which piece each pixel of a row is, 0 where it is in none."""
    there = [(piece.shape, number) for number, piece in pieces.items()
             if piece.shape.bounds[1] <= row < piece.shape.bounds[3]]
    if not there:
        return np.zeros(width, np.int64)
    # GDAL burns int64 only from 3.5 on; a double holds whole numbers up to 2**53.
    burnt = rasterio.features.rasterize(there, (1, width), dtype="float64",
                                        transform=Affine.translation(0, row))
    found: npt.NDArray[np.int64] = burnt[0].astype(np.int64)
    return found


def _strip(values: npt.NDArray[np.uint8], top: int, wanted: Sequence[int]) -> Iterator[_Piece]:
    mask = np.isin(values, wanted)
    for shape, value in rasterio.features.shapes(values, mask=mask, connectivity=4):
        outline, *holes = (np.add(ring, (0, top)) for ring in shape["coordinates"])
        yield _Piece(shapely.Polygon(outline, holes), int(value))


def _whole(group: Sequence[_Piece]) -> _Piece:
    if len(group) == 1:
        return group[0]
    return _Piece(shapely.union_all([piece.shape for piece in group]), group[0].value)


def _batches(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _table(pieces: Sequence[_Piece], grid: Grid, names: Sequence[str], area: Transformer,
           simplify: float | None) -> geopandas.GeoDataFrame:
    shapes = np.array([piece.shape for piece in pieces], object)
    if simplify is not None and len(shapes):
        shapes = shapely.simplify(shapes, simplify, preserve_topology=True)
    a, b, c, d, e, f = grid.transform[:6]
    placed = shapely.transform(shapes, lambda at: np.column_stack(
        [a * at[:, 0] + b * at[:, 1] + c, d * at[:, 0] + e * at[:, 1] + f]))
    flat = shapely.transform(placed, lambda at: np.column_stack(area.transform(*at.T)))
    columns = {"class": [names[piece.value] for piece in pieces],
               "value": np.array([piece.value for piece in pieces], np.int32),
               "area_m2": shapely.area(flat).astype(float)}
    return geopandas.GeoDataFrame(columns, geometry=list(placed), crs=grid.crs.to_wkt())


def _area_transformer(grid: Grid) -> Transformer:
    """Return what brings coordinates to an equal-area projection about the middle of the grid."""
    x, y = grid.transform @ (grid.width / 2, grid.height / 2)
    (lon,), (lat,) = rasterio.warp.transform(grid.crs, "EPSG:4326", [x], [y])
    flat = CRS.from_proj4(f"+proj=laea +lat_0={lat:.6f} +lon_0={lon:.6f} +ellps=WGS84")
    return Transformer.from_crs(CRS.from_wkt(grid.crs.to_wkt()), flat, always_xy=True)
