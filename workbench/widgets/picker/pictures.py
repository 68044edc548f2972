"""Pictures of a chip for the browser: its colours, false colours, its label."""

from __future__ import annotations

from matplotlib.colors import to_hex

from workbench.data import Dataset
from workbench.plots.pixels import TRUE_COLOUR, classified, stretched
from workbench.widgets.tiles import picture_url

# Water, burns and crops stand out in the first that a dataset has the bands of.
_FALSE = (("SWIR_1", "NIR_NARROW", "RED"), ("SWIR_1", "NIR_BROAD", "RED"),
          ("NIR_NARROW", "RED", "GREEN"), ("NIR_BROAD", "RED", "GREEN"))


def chip_pictures(dataset: Dataset, chip_id: str) -> list[dict[str, str]]:
    """Return name and data URL of a chip's pictures.

    Raises:
        DataError: A file has gone or is damaged.
    """
    sample = dataset.read(chip_id)
    image, bands = sample.picture, dataset.bands
    has_colours = set(TRUE_COLOUR) <= set(bands)
    found = [("colours" if has_colours else bands[0], stretched(image, bands), False)]
    for shown in _FALSE:
        if set(shown) <= set(bands):
            found.append((" · ".join(map(_short, shown)), stretched(image, bands, shown), False))
            break
    colours = [to_hex(entry.color) for entry in dataset.classes]
    found.append(("label", classified(sample.mask, colours), True))
    return [{"name": name, "url": picture_url(pixels, lossless=lossless)}
            for name, pixels, lossless in found]


def thumbnail(dataset: Dataset, chip_id: str) -> str:
    """Return a chip in its colours as a data URL."""
    return picture_url(stretched(dataset.read(chip_id).picture, dataset.bands), lossless=False)


def _short(band: str) -> str:
    return band.replace("_NARROW", "").replace("_BROAD", "").replace("_", " ")
