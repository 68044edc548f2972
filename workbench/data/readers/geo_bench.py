"""GEO-Bench 1.0: one HDF5 file a chip, one dataset in it a band, and `label`.

The files' attributes hold Python pickles, which run code when they are opened: they are never
read. So nothing is known of a chip's place, and its bands go by their keys, `02 - Blue_2019-11-05`.

Source: ServiceNow/geo-bench, geobench/dataset.py.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from affine import Affine

from workbench.catalog import Collection
from workbench.data.bands import find
from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo
from workbench.data.raster import Raster
from workbench.data.readers import READERS, Found, Reader, Stored
from workbench.data.readers._layout import find_folder, matching, one_each, wrong_root
from workbench.errors import BandError, DataError, GridError
from workbench.storage import read_json

_PARTITION = "default_partition.json"
_PARTS = {"train": "train", "valid": "val", "test": "test"}
_KEY = re.compile(r"(?P<number>\d\dA?) - [^_]*(?:_(?P<date>\d{4}-\d\d-\d\d))?")
_LABEL = "label"
# The converter of m-eurosat took B8A, the last band of EuroSAT's files, to be the ninth: from
# there on each name stands at the band before (ServiceNow/geo-bench issue 28).
MISNAMED = {
    "m-eurosat": {"08A": "WATER_VAPOR", "09": "CIRRUS", "10": "SWIR_1", "11": "SWIR_2",
                  "12": "NIR_NARROW"},
}  # fmt: skip


class GeoBench(Reader):
    """Chips without a place on the map; the date stands in the bands' keys."""

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the chips; `default_partition.json` says which part they are in."""
        folder = find_folder(root, collection.folder or collection.id, r".+\.hdf5")
        if folder is None:
            raise wrong_root(root, collection, f"{collection.folder or collection.id}/*.hdf5")
        path = folder / _PARTITION
        parts = read_json(path) if path.is_file() else {}
        part_of = {chip: _PARTS[part] for part, chips in parts.items() if part in _PARTS
                   for chip in chips}
        region = next(iter(collection.regions), collection.id)
        return one_each([
            Found(match[1], f"{folder}/{match[0]}", f"{folder}/{match[0]}", region, match[1],
                  None, part_of.get(match[1]))
            for match in matching(folder, r"(.+)\.hdf5")
        ], only)  # fmt: skip

    def grid(self, image: str, info: DatasetInfo) -> Raster:
        """Return the size that all bands share; there is no CRS."""
        with _opened(image) as file:
            keys = _keys(file, image, info)
            shapes = {file[key].shape for key in keys.values()}
            if missing := [band for band in info.stored_bands if band not in keys]:
                raise BandError(f"{image} has no band {', '.join(map(str, missing))}; it has "
                                f"{', '.join(keys)}.")
        if len(shapes) > 1 or len(shape := shapes.pop()) != 2:
            raise GridError(f"{image}: its bands differ in size or are not rows × columns.")
        height, width = shape
        return Raster(image, height, width, len(keys), ("float32",), None, Affine.identity(), None,
                      ())

    def check_mask(self, mask: str, grid: Raster) -> None:
        """Raise unless the file has a label of the size of its bands."""
        with _opened(mask) as file:
            shape = _array(file, _LABEL, mask).shape
        if shape != (grid.height, grid.width):
            raise GridError(f"{mask}: its label is {shape}, its bands {grid.height, grid.width}.")

    def read_image(self, path: str, window: ChipWindow, bands: Sequence[str], info: DatasetInfo
                   ) -> Stored:
        """Read only the datasets of these bands."""
        with _opened(path) as file:
            keys = _keys(file, path, info)
            if missing := [band for band in bands if band not in keys]:
                raise BandError(f"{path} has no band {', '.join(missing)}.")
            return Stored(np.stack([_cut(file[keys[band]], window) for band in bands]), None)

    def read_labels(self, path: str, window: ChipWindow, info: DatasetInfo) -> Stored:
        """Read the label."""
        with _opened(path) as file:
            return Stored(_cut(_array(file, _LABEL, path), window), None)

    def date(self, image: str) -> str | None:
        """Return the date in the bands' keys, where they have one and it is one."""
        with _opened(image) as file:
            dates = {match["date"] for key in file if (match := _KEY.fullmatch(key))}
        return dates.pop() if len(dates) == 1 else None

    def notes(self, info: DatasetInfo) -> tuple[str, ...]:
        """Say which names were corrected."""
        wrong = MISNAMED.get(info.collection or "")
        return () if not wrong else (
            "band names in the files are wrong and corrected here: "
            + ", ".join(f"{key} holds {band}" for key, band in wrong.items()),
        )  # fmt: skip


@contextlib.contextmanager
def _opened(path: str) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:  # h5py raises either for a damaged file
        raise DataError(
            f"{path} cannot be read as HDF5: it is missing, empty, truncated or of another format "
            f"({str(error).splitlines()[0][:160]}). Unpack or download it again, or leave it out."
        ) from error


def _keys(file: h5py.File, path: str, info: DatasetInfo) -> dict[str, str]:
    """Return the key of each band by its canonical name."""
    wrong = MISNAMED.get(info.collection or "", {})
    keys: dict[str, str] = {}
    for key in file:
        match = _KEY.fullmatch(key)
        band = match and (wrong.get(match["number"]) or find(f"B{match['number']}"))
        if not band:
            continue
        if band in keys:
            raise DataError(f"{path} has two bands {band}: {keys[band]!r} and {key!r}. Frames of "
                            "several dates in one file are not read; write one file a date.")
        _array(file, key, path)
        keys[band] = key
    if not keys:
        raise DataError(f"{path} has no bands such as '02 - Blue'; it has {sorted(file)[:5]}.")
    return keys


def _array(file: h5py.File, key: str, path: str) -> h5py.Dataset:
    """Return an array of numbers that lies in this very file."""
    if key not in file:
        raise DataError(f"{path} has no {key!r}: chips of a classification have no mask.")
    inside = isinstance(file.get(key, getlink=True), h5py.HardLink)
    array = file[key] if inside else None
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "iuf" or array.external:
        raise DataError(f"{path}: {key!r} is not an array of numbers in this file.")
    return array


def _cut(array: h5py.Dataset, window: ChipWindow) -> np.ndarray:
    _, _, row, col, height, width = window
    pixels: np.ndarray = array[row : row + height, col : col + width]
    return pixels


READERS.add("geo-bench", GeoBench())
