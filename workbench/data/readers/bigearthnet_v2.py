"""BigEarthNet v2 with reference maps: a folder a patch, a file a band, CORINE codes as labels.

`BigEarthNet-S2/<scene>/<patch>/<patch>_B02.tif`,
`Reference_Maps/<scene>/<patch>/<patch>_reference_map.tif`, `metadata.parquet`.

Source: Clasen et al., reBEN, arXiv:2407.03653; bigearth.net.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.catalog import Collection
from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo
from workbench.data.raster import Raster, check_same_grid, describe, open_raster, read_window
from workbench.data.readers import READERS, Found, Reader, Stored
from workbench.data.readers._layout import one_each, wrong_root
from workbench.errors import DataError, GridError, LabelError

_IMAGES, _MAPS = "BigEarthNet-S2", "Reference_Maps"
_FILES = {
    "COASTAL_AEROSOL": "B01", "BLUE": "B02", "GREEN": "B03", "RED": "B04", "RED_EDGE_1": "B05",
    "RED_EDGE_2": "B06", "RED_EDGE_3": "B07", "NIR_BROAD": "B08", "NIR_NARROW": "B8A",
    "WATER_VAPOR": "B09", "SWIR_1": "B11", "SWIR_2": "B12",
}  # fmt: skip
# Codes of CORINE Land Cover 2018 (level 3) of each of the 19 classes, in the catalogue's order.
# Source: reBEN's nomenclature, as in torchgeo's BigEarthNet.
CORINE_CODES: tuple[tuple[int, ...], ...] = (
    (111, 112), (121,), (211, 212, 213), (221, 222, 223, 241), (231,), (242,), (243,), (244,),
    (311,), (312,), (313,), (321, 333), (322, 323), (324,), (331,), (411, 412), (421, 422),
    (511, 512), (521, 522, 523),
)  # fmt: skip
# The codes of no class: traffic, mines, parks, rock, burnt, ice, tidal flats, and no data.
NO_CLASS = (122, 123, 124, 131, 132, 133, 141, 142, 332, 334, 335, 423, 999)
_NO_LABEL, _UNKNOWN = -1, -2


def _class_of_code() -> np.ndarray:
    table = np.full(1000, _UNKNOWN, np.int16)
    table[list(NO_CLASS)] = _NO_LABEL
    for index, codes in enumerate(CORINE_CODES):
        table[list(codes)] = index
    return table


_CLASS_OF_CODE = _class_of_code()


class BigEarthNet(Reader):
    """Bands of 20 and 60 m are repeated to 10 m, which is nearest neighbour, while reading."""

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the patches; their region is the country, their cluster the MGRS tile.

        The country stands in `metadata.parquet`; without it it is the catalogue's for the tile
        (of two tiles on a border: that of most patches).
        """
        top = root / _IMAGES
        names = _all_patches(top) if only is None else _listed(top, only)
        countries = _Countries(root, collection)
        found = [
            Found(
                patch, f"{top}/{scene}/{patch}",
                f"{root}/{_MAPS}/{scene}/{patch}/{patch}_reference_map.tif",
                countries.of(patch), _tile(patch), _date(patch),
            )
            for scene, patch in names
        ]  # fmt: skip
        if not found:
            raise wrong_root(root, collection, f"{_IMAGES}/SCENE/PATCH/PATCH_B02.tif and "
                             f"{_MAPS}/SCENE/PATCH/PATCH_reference_map.tif")
        return one_each(found, only)

    def grid(self, image: str, info: DatasetInfo) -> Raster:
        """Return the grid of the bands of 10 m."""
        return dataclasses.replace(describe(_file(image, "BLUE")), path=image)

    def check_mask(self, mask: str, grid: Raster) -> None:
        """Raise unless the reference map lies on the grid of the bands of 10 m."""
        check_same_grid(grid, describe(mask))

    def read_image(self, path: str, window: ChipWindow, bands: Sequence[str], info: DatasetInfo
                   ) -> Stored:
        """Open only the files of these bands."""
        height, width = info.chip_shape
        layers, nodata = [], None
        for band in bands:
            file = _file(path, band)
            handle = open_raster(file)
            factor = height // handle.height
            if (handle.height * factor, handle.width * factor) != (height, width):
                raise GridError(
                    f"{file} has {handle.height} × {handle.width} pixels, which do not divide the "
                    f"{height} × {width} of a patch. Unpack it again."
                )
            layer = read_window(file, [1], 0, 0, handle.height, handle.width)[0]
            layers.append(layer.repeat(factor, axis=0).repeat(factor, axis=1))
            nodata = handle.nodata if nodata is None else nodata
        rows = slice(window.row_off, window.row_off + window.height)
        cols = slice(window.col_off, window.col_off + window.width)
        return Stored(np.stack(layers)[:, rows, cols], nodata)

    def read_labels(self, path: str, window: ChipWindow, info: DatasetInfo) -> Stored:
        """Read CORINE codes as class indices; codes of no class are -1."""
        codes = read_window(path, [1], *window[2:])[0].astype(np.int64)
        labels = _CLASS_OF_CODE[np.clip(codes, 0, 999)]
        unknown = (labels == _UNKNOWN) | (codes < 0) | (codes > 999)
        if unknown.any():
            values = ", ".join(map(str, np.unique(codes[unknown])[:8]))
            raise LabelError(
                f"{path} holds {values}, which is no code of CORINE Land Cover. Unpack it again."
            )
        return Stored(labels, None)

    def files(self, path: str) -> list[str]:
        """Return the files of the bands, or the map itself."""
        return sorted(entry.path for entry in os.scandir(path)) if os.path.isdir(path) else [path]

    def notes(self, info: DatasetInfo) -> tuple[str, ...]:
        """Say how bands of different size are brought together."""
        return (
            "bands of 20 and 60 m are brought to 10 m by nearest neighbour, as in ConfigILM's "
            "120_nearest that the published statistics are of",
        )


class _Countries:
    """The country of a patch."""

    def __init__(self, root: Path, collection: Collection) -> None:
        table = root / "metadata.parquet"
        self._stated: dict[str, str] = {}
        if table.is_file():
            try:
                columns = pd.read_parquet(table, columns=["patch_id", "country"])
            except (OSError, ValueError, KeyError) as error:
                raise DataError(f"{table} cannot be read ({error}). Download it again.") from error
            self._stated = dict(zip(columns["patch_id"], columns["country"], strict=True))
        by_chips = sorted(collection.places, key=lambda place: place.chips or 0)
        self._of_tile = {place.name.partition("-")[0]: place.region for place in by_chips}

    def of(self, patch: str) -> str:
        country = self._stated.get(patch)
        return country.lower() if country else self._of_tile.get(_tile(patch), "unknown")


def _all_patches(top: Path) -> Iterator[tuple[str, str]]:
    if not top.is_dir():
        return
    for scene in os.scandir(top):
        if scene.is_dir():
            for patch in os.scandir(scene.path):
                if patch.name.startswith(f"{scene.name}_"):
                    yield scene.name, patch.name


def _listed(top: Path, only: Container[str]) -> Iterator[tuple[str, str]]:
    assert isinstance(only, Iterable)
    for patch in only:
        scene = patch.rsplit("_", 2)[0]
        if (top / scene / patch).is_dir():
            yield scene, patch


def _file(patch: str, band: str) -> str:
    return f"{patch}/{os.path.basename(patch)}_{_FILES[band]}.tif"


def _tile(patch: str) -> str:
    """Return the MGRS tile of `S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_28_55`."""
    return patch.split("_")[-3].removeprefix("T")


def _date(patch: str) -> str:
    day = patch.split("_")[2]
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}"


READERS.add("bigearthnet-v2", BigEarthNet())
