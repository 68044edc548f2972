"""Sample: one chip in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine

# An ISO date, or one for each frame.
ChipDate = str | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """One chip: pixels in physical units, labels, and where and when it was taken.

    Attributes:
        image: float32 ``(band, y, x)``, or ``(band, time, y, x)`` of several dates; NaN in all
            bands where `valid` is False.
        mask: int64 ``(y, x)``, class index; -1 where there is no label or no valid pixel.
        valid: bool ``(y, x)``; False for padding, and where a band of any date is nodata, NaN or
            infinite.
        chip_id: Name of the chip in its dataset.
        region: Place used for splits.
        cluster: Chips of one cluster are not independent of each other.
        date: ISO date, or one for each frame of an image of several, where known.
        lonlat: Longitude and latitude of the centre in degrees, where known.
        crs: `EPSG:…` or WKT, where known.
        transform: Pixel (column, row) to coordinates of `crs`.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    chip_id: str
    region: str
    cluster: str
    date: ChipDate | None
    lonlat: tuple[float, float] | None
    crs: str | None
    transform: Affine

    @property
    def pixels(self) -> npt.NDArray[np.float32]:
        """The valid pixels of all frames, ``(band, pixel)``."""
        return self.image[..., self.valid].reshape(len(self.image), -1)

    @property
    def picture(self) -> npt.NDArray[np.float32]:
        """The image that stands for the chip, ``(band, y, x)``: of several frames the last one."""
        return self.image if self.image.ndim == 3 else self.image[:, -1]
