"""Which region a scene or a chip belongs to: by constant, file name, table or polygons."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import geopandas
import numpy as np
import pandas as pd
import shapely

from workbench.data.files import common_folder
from workbench.data.raster import SUFFIXES
from workbench.errors import DataError, GridError

RegionRule: TypeAlias = str | re.Pattern[str] | Mapping[str, str] | geopandas.GeoDataFrame | None
RegionSpec: TypeAlias = RegionRule | pd.DataFrame
_VECTOR = (".geojson", ".json", ".gpkg", ".shp")

ACROSS = "across a border of the region polygons"
OUTSIDE = "outside the region polygons"

# Part of a chip that may lie outside its polygon: rounding of coordinates, nothing more.
_OUTSIDE = 1e-6


def parse_regions(spec: RegionSpec) -> RegionRule:
    """Return `spec` with files read, patterns compiled and polygons checked.

    A string with a group is a regular expression on the file's stem; with ``{region}`` it is a
    template such as ``"{region}_{number}_S2"``; ending in ``.geojson`` or ``.gpkg`` it is a file
    of polygons, in ``.csv`` a table with the columns `file` and `region`; any other string is the
    one region of all chips.

    Raises:
        DataError: The pattern is not valid or has no group, or polygons lack a region column.
        GridError: Polygons without a CRS.
    """
    if isinstance(spec, str):
        if spec.lower().endswith(_VECTOR):
            spec = geopandas.read_file(_existing(spec))
        elif spec.lower().endswith(".csv"):
            spec = pd.read_csv(_existing(spec))
        elif "{region}" in spec:
            spec = re.compile(_template(spec))
        elif "(" in spec:
            spec = _compile(spec)
    if isinstance(spec, re.Pattern) and not spec.groups:
        raise DataError(
            f"region={spec.pattern!r} has no group; put the region's part of the file name in "
            "parentheses, as in r'^([A-Za-z-]+)_'."
        )
    if isinstance(spec, geopandas.GeoDataFrame):
        _check_polygons(spec)
    elif isinstance(spec, pd.DataFrame):
        _check_columns(spec, ("file", "region"))
        spec = dict(zip(spec["file"].astype(str), spec["region"].astype(str), strict=True))
    if isinstance(spec, Mapping):
        spec = {_stem(file): region for file, region in spec.items()}
    return spec


def _stem(file: str) -> str:
    path = Path(file)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def _existing(path: str) -> str:
    if not Path(path).is_file():
        raise DataError(f"region={path!r}: there is no such file. Check the path.")
    return path


def _check_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError(
            f"The region table has no column {' or '.join(map(repr, missing))} (columns: "
            f"{', '.join(map(str, table.columns))}). Rename the ones that hold them: "
            f"table.rename(columns={{'…': {missing[0]!r}}})."
        )


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataError(
            f"region={pattern!r} is not a regular expression: {error}. Example: r'^([A-Za-z-]+)_'."
        ) from error


def _template(template: str) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    return "".join(
        re.escape(part) if place % 2 == 0 else ("(?P<region>.+?)" if part == "region" else ".+?")
        for place, part in enumerate(parts)
    ) + r"\Z"


def _check_polygons(polygons: geopandas.GeoDataFrame) -> None:
    _check_columns(polygons, ("region",))
    if polygons.crs is None:
        raise GridError(
            "The region polygons have no CRS. Say which one they are in: "
            "polygons.set_crs('EPSG:4326')."
        )


def regions_to_json(spec: RegionRule) -> Any:
    """Return `spec` as plain data for a dataset's source."""
    if isinstance(spec, re.Pattern):
        return {"pattern": spec.pattern}
    if isinstance(spec, geopandas.GeoDataFrame):
        return {"polygons": json.loads(spec[["region", "geometry"]].to_json(to_wgs84=True))}
    if isinstance(spec, Mapping):
        return {"names": dict(spec)}
    return spec


def regions_from_json(data: Any) -> RegionRule:
    """Return what `regions_to_json` was given."""
    if isinstance(data, dict):
        if "pattern" in data:
            return re.compile(data["pattern"])
        if "polygons" in data:
            return geopandas.GeoDataFrame.from_features(data["polygons"], crs="EPSG:4326")
        return dict(data["names"])
    spec: str | None = data
    return spec


def scene_regions(spec: RegionRule, images: Sequence[Path]) -> list[str | None]:
    """Return the region of each image, None for all where polygons decide chip by chip.

    Without a rule it is the folder an image lies in; where all lie in one folder, its stem.

    Raises:
        DataError: The pattern or the table does not fit some file; the first ones are named.
    """
    if isinstance(spec, geopandas.GeoDataFrame):
        return [None] * len(images)
    if isinstance(spec, str):
        return [spec] * len(images)
    if spec is None:
        base = common_folder(images)
        if any(image.parent != base for image in images):
            return [image.relative_to(base).parts[0] for image in images]
        return [image.stem for image in images]
    found = [_by_name(spec, image.stem) for image in images]
    missing = [image.name for image, region in zip(images, found, strict=True) if region is None]
    if missing:
        rule = f"pattern {spec.pattern!r}" if isinstance(spec, re.Pattern) else "table"
        raise DataError(
            f"The region {rule} does not fit {len(missing)} of {len(images)} files, for example "
            f"{', '.join(missing[:3])}. Widen it, or narrow images=."
        )
    return list(found)


def _by_name(spec: re.Pattern[str] | Mapping[str, str], stem: str) -> str | None:
    if isinstance(spec, Mapping):
        region = spec.get(stem)
        return None if region is None else str(region)
    match = spec.search(stem)
    if match is None:
        return None
    return match["region"] if "region" in spec.groupindex else match[1]


def regions_by_polygon(footprints: geopandas.GeoSeries, polygons: geopandas.GeoDataFrame
                       ) -> tuple[list[str | None], list[str | None]]:
    """Return the region of each footprint, or None and the reason why there is none.

    A chip belongs to a region when all of it lies in that region's polygons and in no other's.
    """
    regions = polygons.to_crs(footprints.crs).dissolve("region").geometry
    shapes = footprints.to_numpy()
    # Shares of tiny areas: that degrees are not metres cancels out.
    share = np.stack([
        shapely.area(shapely.intersection(shapes, outline)) / shapely.area(shapes)
        for outline in shapely.make_valid(regions.to_numpy())
    ])
    touched = (share > _OUTSIDE).sum(0)
    inside = share > 1 - _OUTSIDE
    names = [str(name) for name in regions.index]
    found: list[str | None] = []
    reasons: list[str | None] = []
    for chip in range(len(shapes)):
        one = touched[chip] == 1 and inside[:, chip].any()
        found.append(names[int(inside[:, chip].argmax())] if one else None)
        reasons.append(None if one else ACROSS if touched[chip] else OUTSIDE)
    return found, reasons
