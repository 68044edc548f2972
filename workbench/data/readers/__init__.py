"""Readers: how the files of a layout are found and read; every other file here is one layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy.typing as npt

from workbench.catalog import Collection
from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo
from workbench.data.raster import Raster
from workbench.registry import Registry, import_plugins


class Found(NamedTuple):
    """A chip as its files and their names tell it; nothing of it has been opened.

    Attributes:
        chip_id: Its name, as published lists of chips spell it.
        image: What holds its image: a file, or a folder of one file a band.
        mask: The file of its labels.
        region: Place used for splits.
        cluster: Chips of one cluster are not independent of each other.
        date: ISO date, where names or the catalogue tell it.
        split: Part that the files themselves put it in: `train`, `val` or `test`.
    """

    chip_id: str
    image: str
    mask: str
    region: str
    cluster: str
    date: str | None = None
    split: str | None = None


class Stored(NamedTuple):
    """Pixels as they are stored, and the value that stands for missing ones."""

    pixels: npt.NDArray
    nodata: float | None


class Reader(ABC):
    """A layout. It holds no state: any thread may use it."""

    @abstractmethod
    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the chips below `root` in order of their ids, told from names alone.

        Args:
            root: The dataset's folder.
            collection: What the catalogue says of it.
            images: Another choice of images, such as `s1`; None for the collection's own.
            only: Ids of the chips to look for; None for all.

        Raises:
            DataError: The root does not hold this layout; says what was expected and found. Or
                two files have one id.
        """

    @abstractmethod
    def grid(self, image: str, info: DatasetInfo) -> Raster:
        """Return size and place of an image without reading pixels.

        Raises:
            DataError: The file is missing, empty, truncated or of another format.
        """

    @abstractmethod
    def check_mask(self, mask: str, grid: Raster) -> None:
        """Raise unless the mask lies on the image's grid; reads no pixels.

        Raises:
            DataError: The file is missing, empty, truncated or of another format.
            GridError: The two differ in shape, CRS or position.
        """

    @abstractmethod
    def read_image(self, path: str, window: ChipWindow, bands: Sequence[str], info: DatasetInfo
                   ) -> Stored:
        """Read only these bands, by name, ``(band, [time,] y, x)`` in their order, as stored.

        The axis of time is there where `info` has several frames.

        Raises:
            DataError: The file cannot be read.
        """

    @abstractmethod
    def read_labels(self, path: str, window: ChipWindow, info: DatasetInfo) -> Stored:
        """Read the mask ``(y, x)`` in the values of `info.class_values` and `info.no_label`.

        Raises:
            DataError: The file cannot be read.
        """

    def date(self, image: str) -> str | None:
        """Return the ISO date that is written inside the file, where the layout has one."""
        return None

    def listed(self, entry: str) -> str:
        """Return the id of the chip that an entry of a published list names."""
        return entry

    def files(self, path: str) -> list[str]:
        """Return the files that pixels of `path` come from."""
        return [path]

    def notes(self, info: DatasetInfo) -> tuple[str, ...]:
        """Return what this reader does to the pixels that people should know."""
        return ()


READERS: Registry[Reader] = Registry("reader", "workbench.data.readers.READERS")

import_plugins(__name__, __path__)
