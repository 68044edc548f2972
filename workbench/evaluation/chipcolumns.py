"""What scores remember of each chip: part, region, cluster, date, other facts, its footprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas
import pandas as pd
import shapely

FIRST = ("part", "region", "cluster", "date")
# Where its pixels lie in the files says nothing about a chip; class counts follow from the scores.
_FILES = ("image", "mask", "col_off", "row_off", "width", "height")
_FOOTPRINTS = "footprints"
# A millionth of a degree is a tenth of a metre.
_DECIMALS = 6


def kept_columns(chips: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Return of an index of chips with `part` what is worth keeping beside their scores."""
    others = [name for name in chips.columns
              if name not in (*FIRST, *_FILES, "geometry") and not name.startswith("count_")]
    kept = pd.DataFrame(chips[[*FIRST, *(name for name in others if _is_plain(chips[name]))]])
    kept.index = kept.index.rename("chip_id")
    return geopandas.GeoDataFrame(kept, geometry=chips.geometry.to_numpy(), crs=chips.crs)


def columns_to_json(chips: pd.DataFrame) -> dict[str, list[Any]]:
    """Return columns and footprints as plain data, the index as `chip_id`."""
    columns = [name for name in chips.columns if name != "geometry"]
    data = {"chip_id": chips.index.tolist(), **{name: _plain(chips[name]) for name in columns}}
    if isinstance(chips, geopandas.GeoDataFrame):
        data[_FOOTPRINTS] = [
            None if shape is None else shapely.to_wkt(shape, rounding_precision=_DECIMALS)
            for shape in chips.geometry
        ]
    return data


def columns_from_json(data: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return what `columns_to_json` was made from."""
    columns = dict(data)
    outlines = columns.pop(_FOOTPRINTS, None)
    chips = pd.DataFrame(columns).set_index("chip_id")
    if missing := [name for name in FIRST if name not in chips]:
        raise KeyError(*missing)
    if outlines is None:
        return chips
    shapes = [None if text is None else shapely.from_wkt(text) for text in outlines]
    return geopandas.GeoDataFrame(chips, geometry=shapes, crs="EPSG:4326")


def _is_plain(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or all(
        value is None or isinstance(value, (str, bool, int, float)) or value is pd.NA
        for value in column
    )


def _plain(column: pd.Series) -> list[Any]:
    return column.astype(object).where(column.notna(), None).tolist()
