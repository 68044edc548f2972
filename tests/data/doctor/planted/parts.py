"""Parts of a split that share ground or pixels, or lack a class."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from tests.data.doctor.planted.drawing import draw_split
from tests.data.doctor.planted.faults import fault
from workbench.data.simulated.spectra import NODATA


@fault("class missing from train", "classes", "train has no pixel of water")
def _(draw):
    def plant(split):
        dry = [chip for chip in split.parts["train"] if not split.dataset.chips["count_1"][chip]]
        return dataclasses.replace(split, parts={**split.parts, "train": tuple(dry)})
    for number in range(0, len(draw.masks), 5):
        draw.masks[number] = np.where(draw.masks[number] == 1, -1, 0).astype(np.int8)
    draw.edit_split = plant


@fault("class missing from val", "classes", "val has no pixel of water")
def _(draw):
    split = draw.split()
    for number, chip in enumerate(draw.ids):
        if chip in split.parts["val"]:
            draw.masks[number] = np.where(draw.masks[number] == 1, -1, 0).astype(np.int8)
    draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


def _copy(name, words, change):
    @fault(name, "duplicates", words)
    def plant(draw):
        split = draw.split()
        train = [n for n, chip in enumerate(draw.ids) if chip in split.parts["train"]]
        test = [n for n, chip in enumerate(draw.ids) if chip in split.parts["test"]]
        told = [n for n in train if np.std(draw.images[n][3]) > 150]
        for one, other in zip(draw.random.permutation(told)[:3], test, strict=False):
            draw.images[other] = change(draw.random, draw.images[one])
            draw.masks[other] = draw.masks[one]
        draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


def _resampled(random, image):
    away = (0, *random.uniform(-0.5, 0.5, 2))
    gone = (image == NODATA).all(0)
    moved = ndimage.shift(image.astype(float), away, order=1, mode="nearest")
    return np.where(gone, NODATA, moved)


_copy("chips copied across parts", "under different names", lambda _, image: image.copy())
_copy("chips copied with noise", "look like copies",
      lambda random, image: np.where(image == NODATA, NODATA,
                                     image + random.normal(0, 40, image.shape)))
_copy("chips copied, resampled", "look like copies", _resampled)
_copy("chips copied, turned", "look like copies",
      lambda _, image: np.rot90(image, 1, (1, 2)) + 1)
_copy("chips copied, brightened", "look like copies",
      lambda random, image: np.where(image == NODATA, NODATA, image * random.uniform(1.05, 1.3)))


@fault("footprints overlap across parts", "overlaps", "show the same ground")
def _(draw):
    split = draw.split()
    train, test = split.parts["train"], split.parts["test"]
    for one, other in zip(train[:3], test[:3], strict=True):
        west, south, east, north = draw.boxes[draw.ids.index(one)]
        move = draw.random.uniform(0.1, 0.7) * (east - west)
        draw.boxes[draw.ids.index(other)] = (west + move, south, east + move, north)
    draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


@fault("scene torn between parts", "clusters", "in more than one part")
def _(draw):
    def plant(split):
        train = split.parts["train"]
        return dataclasses.replace(split, parts={
            **split.parts, "train": train[1:], "test": (*split.parts["test"], train[0])})
    draw.edit_split = plant


@fault("neighbours face each other", "neighbours", "touch a train chip")
def _(draw):
    draw.clusters = list(draw.ids)


@fault("tile in two parts", "tiles", "MGRS tile")
def _(draw):
    draw.ids = [f"HLS.S30.T{10 + n % 9}SEH.{n:03d}" for n in range(len(draw.ids))]
    draw.clusters = list(draw.ids)
    draw.boxes = [None] * len(draw.ids)
