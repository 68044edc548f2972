"""A dataset from a table that names its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd

from workbench.data.assignment import PARTS
from workbench.data.dates import find_dates, write_dates
from workbench.data.files import scene_names
from workbench.data.folder import Facts, Index, index_opened, open_scenes
from workbench.data.regions import scene_regions
from workbench.errors import DataError
from workbench.storage import atomic_file, cache_dir

_SUFFIXES = (".parquet", ".gpkg", ".geojson", ".csv")
# Columns that the index fills itself.
_OWN = ("col_off", "row_off", "width", "height", "crs", "scene", "valid_fraction", "member")
_ID = "chip_id"


def index_table(table: pd.DataFrame | str | Path, facts: Facts, *, image: str, mask: str,
                root: str | Path | None) -> Index:
    """Return facts, index and what was left out; see `Dataset.from_table`."""
    if isinstance(table, pd.DataFrame):
        base = Path.cwd() if root is None else Path(root).expanduser().absolute()
        place, rows = _kept(table), table
    else:
        place = Path(table).expanduser().absolute()
        base = place.parent if root is None else Path(root).expanduser().absolute()
        rows = _read(place)
    if _ID in rows:
        rows = rows.set_index(_ID)
    _check(rows, image, mask, place, (*_OWN, *(["dates"] if facts.frames > 1 else [])))
    rows = rows.copy()
    for column in (image, mask):
        rows[column] = [_path(base, value) for value in rows[column]]
    files = [Path(path) for path in rows[image]]
    numbered = pd.api.types.is_integer_dtype(rows.index)
    names = scene_names(files) if numbered else [str(key) for key in rows.index]
    if "region" in rows:
        regions: list[Any] = _words(rows["region"], "region")
    else:
        regions = scene_regions(None, files)
    has_mask = rows[mask].notna().tolist()
    listed = list(zip(files, rows[mask], names, regions, has_mask, strict=True))
    scenes, bad = open_scenes(
        [(file, Path(labels)) for file, labels, *_, there in listed if there],
        [name for *_, name, _, there in listed if there],
        [region for *_, region, there in listed if there],
    )
    bad |= {name: f"no mask: the table names none for {file}"
            for file, _, name, _, there in listed if not there}
    source = {"kind": "table", "table": str(place), "image": image, "mask": mask,
              "root": str(base)}
    info, chips, skipped = index_opened(scenes, bad, facts, source)
    if facts.name is None and not isinstance(table, pd.DataFrame):
        info = info.model_copy(update={"name": place.stem})
    columns = _with_columns(chips, rows.set_axis(names), {image, mask}, facts.frames)
    return info, columns, skipped


def _with_columns(chips: geopandas.GeoDataFrame, rows: pd.DataFrame, files: set[str],
                  num_frames: int) -> geopandas.GeoDataFrame:
    """Return the index with what else the table says of each image."""
    # A chip that is cut from a scene has the scene's name and its place in it as its own.
    scene = chips.index.to_series()
    inside = ~scene.isin(rows.index)
    scene[inside] = scene[inside].str.rsplit("_", n=2).str[0]
    told = rows.loc[scene].set_axis(chips.index)
    for column in rows.columns.difference([*files, "region", "geometry"]):
        chips[column] = told[column]
    if "cluster" in rows:
        chips["cluster"] = _words(chips["cluster"], "cluster")
    if "date" in rows:
        days = chips["date"].tolist() if num_frames > 1 else chips["date"].astype(str).str[:10]
        write_dates(chips, [
            find_dates(day, path, num_frames) if there else None for day, path, there
            in zip(days, chips["image"], chips["date"].notna(), strict=True)])
    if isinstance(rows, geopandas.GeoDataFrame) and rows.crs is not None:
        nowhere = chips.geometry.isna() & ~inside
        places = told.geometry.to_crs("EPSG:4326")
        chips = chips.set_geometry(chips.geometry.where(~nowhere, places))
    return chips


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(f"table={str(path)!r} is none of {', '.join(_SUFFIXES)}.")
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path)
        if path.suffix.lower() == ".parquet":
            try:
                return geopandas.read_parquet(path)
            except ValueError:  # a table without geometry
                return pd.read_parquet(path)
        return geopandas.read_file(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"The table {path} cannot be read ({str(error)[:200]}). Check the path, "
                        "or write it again.") from error


def _kept(table: pd.DataFrame) -> Path:
    """Return a file in the cache that holds a table in memory, under the name of its content."""
    unnamed = _ID in table or pd.api.types.is_integer_dtype(table.index)
    named = table if unnamed else table.rename_axis(_ID).reset_index()
    plain = pd.DataFrame(named).astype(str)
    digest = hashlib.sha256(plain.to_csv().encode()).hexdigest()[:16]
    path = cache_dir() / "tables" / f"{digest}.parquet"
    if not path.exists():
        with atomic_file(path) as temporary:
            try:
                named.to_parquet(temporary)
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"The table cannot be kept for later ({str(error)[:200]}): runs open their "
                    "data again. Leave columns of mixed kinds away, or pass the path of a file."
                ) from error
    return path


def _check(rows: pd.DataFrame, image: str, mask: str, place: Path, own: tuple[str, ...]) -> None:
    if not len(rows):
        raise DataError(f"The table ({place}) has no rows.")
    if missing := [name for name in (image, mask) if name not in rows]:
        raise DataError(
            f"The table has no column {missing[0]!r}; it has {', '.join(map(str, rows.columns))}. "
            "Say which columns hold the paths: image='…', mask='…'."
        )
    taken = [str(name) for name in rows.columns
             if str(name) in own or str(name).startswith("count_")]
    if taken:
        raise DataError(f"The table's column {taken[0]!r} has a name that the index uses itself; "
                        "rename or drop it.")
    if rows[image].isna().any():
        raise DataError(f"Row {rows.index[rows[image].isna()][0]!r} of the table has no image.")
    twice = rows.index[rows.index.duplicated()]
    if len(twice):
        raise DataError(f"The table names the chip {twice[0]!r} more than once ({len(twice)} "
                        "repeated ids). Give every row its own.")
    if "split" in rows:
        wrong = sorted({str(part) for part in rows["split"].dropna()} - {*PARTS})
        if wrong:
            raise DataError(f"The table's column 'split' holds {wrong[0]!r}; parts are "
                            f"{', '.join(PARTS)}.")


def _words(column: pd.Series, name: str) -> list[str]:
    if column.isna().any():
        raise DataError(f"The table's column {name!r} is empty in row "
                        f"{column.index[column.isna()][0]!r}; every chip has a {name}.")
    return [str(value) for value in column]


def _path(root: Path, value: Any) -> str | None:
    return None if pd.isna(value) else str(root / Path(str(value)).expanduser())
