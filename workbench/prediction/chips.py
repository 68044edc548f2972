"""A chip of a dataset as a source: the model sees what its training and its scores saw."""

from __future__ import annotations

from affine import Affine
from rasterio.crs import CRS

from workbench.data import Dataset
from workbench.data.bands import positions
from workbench.data.info import count_dates
from workbench.errors import GridError
from workbench.prediction.frames import other_frames
from workbench.prediction.grid import raster_grid
from workbench.prediction.ground import Gsd, resampled_grid
from workbench.prediction.needs import Needs, Pixels, Source

# Chips that say not where they are lie here: off Africa, where longitude and latitude are 0.
NOWHERE = CRS.from_epsg(3857)


def chip_source(dataset: Dataset, chip: str, needs: Needs, gsd: Gsd) -> Source:
    """Read a chip; without a CRS it is put at latitude and longitude 0.

    Raises:
        UnknownNameError: No such chip.
        BandError: The dataset lacks a band.
        GridError: Its pixels are of another size than in training.
        DataError: A file has gone or is damaged, or chips are of another number of dates.
    """
    if dataset.num_frames != needs.num_frames:
        raise other_frames(dataset.info.name, count_dates(dataset.num_frames), needs)
    places = list(positions(needs.bands, dataset.bands, dataset.info.name))
    sample = dataset.read(chip)
    height, width = sample.mask.shape
    if sample.crs is None:
        side = dataset.info.gsd_m or 10.0
        grid = raster_grid(height, width, NOWHERE, Affine(side, 0, 0, 0, -side, 0))
    else:
        grid = raster_grid(height, width, CRS.from_user_input(sample.crs), sample.transform)
        if resampled_grid(f"chip {chip}", grid, needs, gsd) is not None:
            raise GridError(f"Chips are not resampled, and gsd={gsd!r} asks for it. Predict the "
                            "file that they are cut from, or pass gsd='source'.")
    pixels = sample.image[places]

    def read(top: int, left: int, rows: int, columns: int) -> Pixels:
        return pixels[..., top : top + rows, left : left + columns]

    facts = {"region": sample.region, "georeferenced": int(sample.crs is not None)}
    return Source(f"chip {chip} of {dataset.info.name}", grid, read, date=sample.date, facts=facts)
