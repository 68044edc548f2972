"""The ways to make a dataset of one's own files, tables and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from workbench.data.dates import DateSpec
from workbench.data.files import FileSpec
from workbench.data.folder import Facts, index_folder
from workbench.data.info import Classes
from workbench.data.regions import RegionSpec

if TYPE_CHECKING:
    import xarray as xr

    from workbench.data.dataset import Dataset


class Opening:
    """Makes datasets; `Dataset` is the only child."""

    @staticmethod
    def from_folder(images: FileSpec, masks: FileSpec, *, bands: Sequence[str | None],
                    classes: Classes | None = None, region: RegionSpec = None,
                    chip_size: int | None = None, scale: float = 1.0, offset: float = 0.0,
                    nodata: float | None = None, no_label: int | Sequence[int] = (-1,),
                    name: str | None = None, date: DateSpec = None, frames: int = 1) -> Dataset:
        """Index pairs of GeoTIFFs of any size; pixels stay in the files.

        The index is kept in the cache: until a file comes, goes or changes, the same call reads no
        pixel.

        Args:
            images: Folder (with subfolders), glob pattern, file or list of files.
            masks: The same for masks, one band of class indices on the grid of their image.
                They are paired by name, apart from the word in which the names differ
                (`a_S2Hand.tif` and `a_LabelHand.tif`).
            bands: Names of the bands in file order; None for one that is not used. Of files of
                several dates those of one date.
            classes: Names of the mask values 0, 1, 2, …, or ``{0: "land", 255: "water"}``;
                without it the values found in the masks.
            region: The region of all chips, or a regular expression with a group or a template
                with ``{region}`` on the file's stem, a mapping of stem to region, polygons (or
                their file) with a column `region`. Without it the folder, else the file's stem.
                Chips that straddle polygons or lie in none are left out.
            chip_size: Side of a chip in pixels; scenes are cut into chips without overlap, and
                chips at the edge are padded. Without it each image is one chip.
            scale: Stored value * scale + offset is the physical unit, reflectance 0 to 1 for
                optical bands (1e-4 for Sentinel-2 and HLS integers).
            offset: See `scale`.
            nodata: Stored value of missing pixels; without it what each file says.
            no_label: Mask values that mean "no label here".
            name: What to call the dataset; without it the folder's name.
            date: When images were taken, for models that are told: one ISO date, a mapping of
                stem to date, or a regular expression with a group on the file's stem. Of several
                dates a list ``["2022-03-04", "2022-06-12", …]``, a mapping to such lists, or an
                expression with a group for each.
            frames: Dates that every image holds: all bands of the first one, then all of the
                second, and so on, as `rio stack may.tif july.tif -o stack.tif` writes them. Images
                are then ``(band, time, y, x)``; a pixel is valid where it is on every date.

        Raises:
            BandError: Bands are unknown, too few, too many or in another order than files say.
            DataError: No file matches, no pair fits, or no chip can be used.
            GridError: An image and its mask differ in shape, CRS or position.
            LabelError: A mask holds a value that is neither a class nor a no-label value.

        Warns:
            ChipWarning: Some chips cannot be used and are left out; said once, with their number.
        """
        from workbench.data.dataset import Dataset

        facts = Facts(bands, classes, chip_size, scale, offset, nodata, _several(no_label), name,
                      frames)
        return Dataset(*index_folder(images, masks, facts, region=region, date=date))

    @staticmethod
    def from_table(table: pd.DataFrame | str | Path, *, bands: Sequence[str | None],
                   classes: Classes | None = None, image: str = "image", mask: str = "mask",
                   root: str | Path | None = None, chip_size: int | None = None,
                   scale: float = 1.0, offset: float = 0.0, nodata: float | None = None,
                   no_label: int | Sequence[int] = (-1,), name: str | None = None,
                   frames: int = 1) -> Dataset:
        """Index pairs of GeoTIFFs that a table names, one pair a row.

        The table's index names the chips, where it is more than numbers. Its columns `region`,
        `cluster`, `date` and `split` (`train`, `val`, `test`) say what they are called; where
        there are none, region and cluster are as in `from_folder`. All other columns go with the
        chips: compare runs by them. A GeoDataFrame's geometry is the place of images that say
        none themselves.

        Args:
            table: A DataFrame or GeoDataFrame, or a file of one: `.parquet`, `.gpkg`, `.geojson`
                or `.csv`. One in memory is kept in the cache, so that runs can open it again.
            bands: As in `from_folder`, and so are all arguments not named here.
            classes: See `from_folder`.
            image: Column with the path of the image.
            mask: Column with the path of the mask; rows without one are left out.
            root: The folder that paths begin in; by default the table's own, or the working
                folder for a table in memory.
            chip_size: See `from_folder`.
            scale: See `from_folder`.
            offset: See `from_folder`.
            nodata: See `from_folder`.
            no_label: See `from_folder`.
            name: What to call the dataset.
            frames: See `from_folder`; the column `date` then holds a date for each, with spaces
                or commas between them.

        Raises:
            DataError: The table cannot be read, lacks a column or names a chip twice; and what
                `from_folder` raises.
        """
        from workbench.data.dataset import Dataset
        from workbench.data.table import index_table

        facts = Facts(bands, classes, chip_size, scale, offset, nodata, _several(no_label), name,
                      frames)
        return Dataset(*index_table(table, facts, image=image, mask=mask, root=root))

    @staticmethod
    def from_xarray(image: xr.DataArray | xr.Dataset | str | Path, mask: xr.DataArray | str, *,
                    bands: Sequence[str | None] | None = None, classes: Classes | None = None,
                    region: str | None = None, date: str | Sequence[str] | None = None,
                    chip_size: int | None = None, scale: float = 1.0, offset: float = 0.0,
                    nodata: float | None = None, no_label: int | Sequence[int] = (-1,),
                    name: str | None = None, store: str | Path | None = None) -> Dataset:
        """Cut one scene that xarray holds, or a Zarr store, into chips; of one or several dates.

        What is in memory, or comes lazily from elsewhere, is written to a Zarr store first, block
        by block: training may run in another process, and a run opens its data again. A store on
        disk is read where it lies.

        Args:
            image: An array with one more dimension than y and x, the bands; a Dataset with one
                variable ``(y, x)`` a band; or the path of a Zarr store of such a Dataset. With a
                dimension `time` more, images are ``(band, time, y, x)``; a pixel is valid where it
                is on every date.
            mask: Class indices ``(y, x)`` on exactly the grid of the image; or the name of the
                variable that holds them, in the Dataset or store.
            bands: Names of the bands in their order, None for one that is not used; by default
                the coordinate of the band dimension, `long_name`, or the names of the variables.
                Of a store with one variable a band, which of them.
            classes: As in `from_folder`, and so are all arguments not named here.
            region: The region of all chips; by default the dataset's name.
            date: ISO date of the scene, or one for each of its dates; by default the coordinate
                of `time`.
            chip_size: See `from_folder`.
            scale: See `from_folder`.
            offset: See `from_folder`.
            nodata: Value of missing pixels; without it what `_FillValue` or `nodata` says. NaN
                always is one.
            no_label: See `from_folder`.
            name: What to call the dataset.
            store: Where to write the Zarr store; by default into the cache, once for the same
                content.

        Raises:
            BandError: Bands have no names, or not as many as there are bands.
            GridError: Image and mask are not on the same grid.
            DataError: Dimensions are missing; the store is there and holds something else.
        """
        from workbench.data.arrays import index_xarray
        from workbench.data.dataset import Dataset

        facts = Facts(bands or (), classes, chip_size, scale, offset, nodata, _several(no_label),
                      name)
        return Dataset(*index_xarray(image, mask, facts, region=region, date=date, store=store))


def _several(no_label: int | Sequence[int]) -> tuple[int, ...]:
    return (no_label,) if isinstance(no_label, int) else tuple(no_label)
