"""What the rows of a table are: places that share a value of a column, a month, or a polygon."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyogrio.errors import DataSourceError
from pyproj import Transformer
from shapely import affinity

from workbench.data.areas import centres
from workbench.errors import DataError, GridError, RunError, unknown_name

By: TypeAlias = "str | geopandas.GeoDataFrame"
Members: TypeAlias = npt.NDArray[np.bool_]
# A column of numbers with more values than this is cut into quarters with equally many chips.
_MOST_VALUES = 10
# Columns of polygons that may hold their names, in this order.
_NAMES = ("region", "name", "NAME", "id")
_FILES = (".gpkg", ".geojson", ".json", ".shp")
# The column that says which polygon a row is about.
AREA = "area"


def read_areas(by: By) -> By:
    """Return polygons where `by` is the path of a file of them, else what was given.

    Raises:
        DataError: There is no such file, or it holds no polygons.
    """
    if not isinstance(by, str) or not by.lower().endswith(_FILES):
        return by
    if not Path(by).is_file():
        raise DataError(f"by={by!r}: there is no such file. Check the path.")
    try:
        return geopandas.read_file(by)
    except DataSourceError as error:
        raise DataError(f"by={by!r} cannot be read as polygons: {error}. A GeoPackage, GeoJSON or "
                        "shapefile can.") from error


def column_of(by: By) -> str:
    """Return the name of the column that says which place a row is about."""
    return ("region" if by == "part" else by) if isinstance(by, str) else AREA


def members(chips: pd.DataFrame, by: By) -> Iterator[tuple[str, Members]]:
    """Yield the label of each group of chips and who is in it, ordered by label.

    Args:
        chips: One row a chip.
        by: A column of `chips`, `month` (of the year, from `date`), or polygons: a chip belongs to
            each that its middle lies in.

    Raises:
        UnknownNameError: There is no such column.
        GridError: The polygons have no CRS.
        RunError: Footprints are needed and were not kept.
    """
    if not isinstance(by, str):
        yield from _in_polygons(chips, by)
        return
    values = _values(chips, by)
    for value in sorted(values.unique()):
        yield value, (values == value).to_numpy()


def _values(chips: pd.DataFrame, by: str) -> pd.Series:
    """Return of every chip, as text, what it is grouped by."""
    if by == "month" and by not in chips.columns and "date" in chips.columns:
        months = pd.to_datetime(chips["date"], errors="coerce", format="ISO8601").dt.month
        names = {number: f"{number:02d} {calendar.month_name[number]}" for number in range(1, 13)}
        return months.map(names).fillna("unknown").astype(str)
    if by not in chips.columns or by == "geometry":
        known = [name for name in chips.columns if name != "geometry"]
        raise unknown_name("grouping", by, [*known, "class", "month"], "scores.chips")
    column = chips[by]
    if pd.api.types.is_float_dtype(column) and column.nunique() > _MOST_VALUES:
        column = pd.qcut(column, 4, duplicates="drop").map(_span).astype(object)
    return column.astype(object).where(column.notna(), "unknown").astype(str)


def _span(interval: pd.Interval) -> str:
    return f"{interval.left:.3g} to {interval.right:.3g}"


def _in_polygons(chips: pd.DataFrame,
                 polygons: geopandas.GeoDataFrame) -> Iterator[tuple[str, Members]]:
    areas = named_areas(chips, polygons)
    there = Transformer.from_crs("EPSG:4326", polygons.crs, always_xy=True)
    x, y = there.transform(*centres(chips).T)
    for name, area in areas.items():
        shapely.prepare(area)
        yield name, shapely.intersects_xy(area, x, y)


def named_areas(chips: pd.DataFrame,
                polygons: geopandas.GeoDataFrame) -> dict[str, shapely.Geometry]:
    """Return the polygons in their own CRS, by name in its order; pieces of one area are one.

    What was drawn in degrees beyond ±180° is where longitudes are counted too.

    Raises:
        GridError: They have no CRS.
        DataError: One encloses nothing.
        RunError: The chips have no footprints.
        UnknownNameError: They are no polygons.
    """
    if not isinstance(polygons, geopandas.GeoDataFrame):
        raise unknown_name("grouping", repr(polygons)[:60], [*chips.columns, "class", "month"],
                           "scores.chips")
    if polygons.crs is None:
        raise GridError("The polygons have no CRS, so where they lie is not known. Say it: "
                        'polygons.set_crs("EPSG:4326") for longitude and latitude.')
    if not isinstance(chips, geopandas.GeoDataFrame):
        raise RunError("These scores were stored before footprints of chips were kept, so that "
                       "polygons cannot group them. Make them again: wb.evaluate(run).")
    names = next((polygons[name] for name in _NAMES if name in polygons),
                 polygons.index.to_series())
    pieces: dict[str, list[shapely.Geometry]] = {}
    for name, shape in zip(names, polygons.geometry, strict=True):
        if shape is not None and not shape.is_empty:
            pieces.setdefault(str(name), []).append(shapely.make_valid(shape))
    areas = {name: shapely.union_all(pieces[name]) for name in sorted(pieces)}
    if flat := [name for name, area in areas.items() if not area.area > 0]:
        raise DataError(f"Area {flat[0]!r} of the polygons encloses nothing: it is made of points "
                        "or lines.")
    return {name: _around(area) if polygons.crs.is_geographic else area
            for name, area in areas.items()}


def _around(area: shapely.Geometry) -> shapely.Geometry:
    west, _, east, _ = area.bounds
    if west >= -180 and east <= 180:
        return area
    return shapely.union_all([affinity.translate(area, turn) for turn in (-360, 0, 360)])
