"""Pairs of GeoTIFFs: an image of all bands and a mask on its grid."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from workbench.catalog import Collection
from workbench.data.chipping import ChipWindow
from workbench.data.files import find_files, pair_files, scene_names
from workbench.data.info import DatasetInfo
from workbench.data.raster import Raster, check_same_grid, describe, open_raster, read_window
from workbench.data.readers import READERS, Found, Reader, Stored
from workbench.data.readers._layout import one_each, wrong_root
from workbench.data.regions import scene_regions
from workbench.errors import DataError


class GeoTiffs(Reader):
    """Images and masks in the folders that the collection's assets name, paired by name.

    A file of several dates holds all bands of the first one, then all of the second.
    """

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the pairs; a chip's region is its folder, or the collection's only one."""
        folders = {role: [root / asset.path for asset in collection.assets.values()
                          if asset.roles == (role,)] for role in ("data", "labels")}
        try:
            pairs, unpaired = pair_files(find_files(folders["data"], "images"),
                                         find_files(folders["labels"], "masks"))
        except DataError as error:
            raise wrong_root(root, collection, f"pairs of GeoTIFFs ({error})") from None
        masks = {image: str(mask) for image, mask in pairs} | dict.fromkeys(unpaired, "")
        files = sorted(masks)
        sole = next(iter(collection.regions)) if len(collection.regions) == 1 else None
        return one_each(
            (Found(name, str(image), masks[image], sole or region or name, name)
             for image, name, region
             in zip(files, scene_names(files), scene_regions(None, files), strict=True)),
            only,
        )  # fmt: skip

    def grid(self, image: str, info: DatasetInfo) -> Raster:
        """Return the facts of a GeoTIFF that has as many bands as the dataset."""
        grid = describe(image)
        if grid.count != info.num_layers:
            raise DataError(
                f"{image} has {grid.count} bands; {info.name} has {info.num_layers} "
                f"({', '.join(str(band) for band in info.stored_bands)})."
            )
        return grid

    def check_mask(self, mask: str, grid: Raster) -> None:
        """Raise unless the mask has one band and lies on the image's grid."""
        labels = describe(mask)
        check_same_grid(grid, labels)
        if labels.count != 1:
            raise DataError(f"{mask} has {labels.count} bands; a mask has one.")

    def read_image(self, path: str, window: ChipWindow, bands: Sequence[str], info: DatasetInfo
                   ) -> Stored:
        """Read bands by their place in the file."""
        first = [info.stored_bands.index(band) + 1 for band in bands]
        indexes = [place + frame * len(info.stored_bands)
                   for place in first for frame in range(info.num_frames)]
        pixels = read_window(path, indexes, *window[2:])
        return Stored(pixels.reshape(len(bands), *info.frames, *pixels.shape[1:]),
                      open_raster(path).nodata)

    def read_labels(self, path: str, window: ChipWindow, info: DatasetInfo) -> Stored:
        """Read the only band of the mask."""
        return Stored(read_window(path, [1], *window[2:])[0], open_raster(path).nodata)

    def files(self, path: str) -> list[str]:
        """Return the file, and those that a VRT is made of."""
        return list(open_raster(path).files) if path.lower().endswith(".vrt") else [path]


READERS.add("geotiff", GeoTiffs())
