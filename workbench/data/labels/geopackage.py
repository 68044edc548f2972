"""Labels on disk: a GeoPackage with the drawn shapes and, beside them, the classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from workbench.data.info import ClassInfo
from workbench.errors import DataError
from workbench.storage import atomic_file

LABELS, CLASSES = "labels", "classes"


def write(path: Path, table: geopandas.GeoDataFrame, classes: Sequence[ClassInfo]) -> None:
    """Write labels with their classes, whole or not at all."""
    named = pd.DataFrame([entry.model_dump() for entry in classes])
    with atomic_file(path) as temporary:
        temporary.unlink()  # GDAL takes an empty file for a broken database
        pyogrio.write_dataframe(table, temporary, layer=LABELS, driver="GPKG",
                                geometry_type="Unknown")
        pyogrio.write_dataframe(named, temporary, layer=CLASSES, driver="GPKG")


def read(path: Path) -> tuple[geopandas.GeoDataFrame, list[ClassInfo]]:
    """Return labels in the order in which they were drawn, and their classes.

    Raises:
        DataError: The file is damaged, or was not written by the workbench.
    """
    try:
        layers = {name for name, _ in pyogrio.list_layers(path)}
        if layers >= {LABELS, CLASSES}:
            table = geopandas.read_file(path, layer=LABELS)
            named = pyogrio.read_dataframe(path, layer=CLASSES)
            classes = [ClassInfo(name=row["name"], color=row["color"])
                       for row in named.to_dict("records")]
            return table[["class", "geometry"]], classes
    except (DataSourceError, DataLayerError, KeyError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as labels: {error}. Bring back a copy, or name another file: "
            "path=…."
        ) from error
    raise DataError(
        f"{path} holds the layers {', '.join(sorted(layers)) or '(none)'}; labels of the workbench "
        f"have {LABELS!r} and {CLASSES!r}. To take shapes over from it: labels.add_table("
        "geopandas.read_file(…), column=…)."
    )
