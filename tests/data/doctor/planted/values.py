"""Pixels of wrong values: units, offsets, fill, bands that are constant or copied."""

from __future__ import annotations

import numpy as np

from tests.data.doctor.planted.faults import fault
from workbench.data.simulated.spectra import NODATA


@fault("band constant", "band values", "everywhere")
def _(draw):
    band, value = draw.random.integers(6), draw.random.integers(0, 3000)

    def plant(image, _):
        image[band] = value
        return image
    draw.every_image(plant)


@fault("band copied", "band values", "hold the same values")
def _(draw):
    one, other = draw.random.permutation(6)[:2]

    def plant(image, _):
        image[one] = image[other]
        return image
    draw.every_image(plant)


@fault("scale forgotten", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1.0


@fault("scale applied twice", "band values", "too dark for reflectance")
def _(draw):
    draw.options["scale"] = 1e-8


@fault("divided by 255", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1 / 255


@fault("bytes as reflectance", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.every_image(lambda image, _: np.clip(image / draw.random.uniform(12, 20), 1, 255))
    draw.options["scale"] = 1.0


@fault("per cent as reflectance", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1e-2


@fault("one place in other units", "drift", "other units")
def _(draw):
    factor = draw.random.choice([1 / 10_000, 1 / 255, 1 / 100, 100])
    draw.every_image(lambda image, _: image * factor, draw.of_one_place)


@fault("held-out place brighter", "drift", "as bright as train")
def _(draw):
    factor = draw.random.uniform(2.2, 4)
    held = [n for n, chip in enumerate(draw.chips) if chip.place == draw.places[0]]
    draw.every_image(lambda image, _: image * factor, held)


@fault("offset of 1000 kept", "offset", "offset of 1000")
def _(draw):
    draw.every_image(lambda image, _: image + 1000)


@fault("L1C for L2A", "processing level", "L1C")
def _(draw):
    path = np.array([0.085, 0.052, 0.028, 0.008, 0.001, 0]) * draw.random.uniform(0.85, 1.15) * 1e4
    through = np.array([0.80, 0.86, 0.91, 0.95, 0.97, 0.98])[:, None, None]
    draw.every_image(lambda image, _: image * through + path[:, None, None])


def _fill(name, value, labelled, check="nodata as data"):
    @fault(name, check, "trained as a class" if labelled else "missing data")
    def plant(draw):
        draw.options["nodata"] = None
        for number in draw.random.permutation(len(draw.images))[: draw.random.integers(5, 15)]:
            edge = int(draw.random.integers(6, 40))
            draw.images[number] = draw.images[number].copy()
            draw.images[number][:, :, :edge] = value
            draw.masks[number] = draw.masks[number].copy()
            draw.masks[number][:, :edge] = 0 if labelled else -1
        for number, image in enumerate(draw.images):
            gone = (image == NODATA).all(0)
            draw.images[number] = np.where(gone, value, image)


_fill("-9999 as data", -9999, labelled=False)
_fill("0 as data", 0, labelled=False)
_fill("-32768 as data", -32768, labelled=False)
_fill("0 as data and class 0", 0, labelled=True)
_fill("-9999 as data and class 0", -9999, labelled=True)


@fault("negative band", "band values", "are negative")
def _(draw):
    band, offset = draw.random.integers(6), draw.random.uniform(1500, 4000)

    def plant(image, _):
        image[band] -= offset
        return image
    draw.every_image(plant)
