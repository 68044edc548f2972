"""Labels shifted, turned, exchanged or missing."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tests.data.doctor.planted.faults import fault


def _shift(name, low, high, everywhere=True):
    @fault(name, "label position", "look shifted")
    def plant(draw):
        size, angle = draw.random.uniform(low, high), draw.random.uniform(0, 2 * np.pi)
        away = (size * np.sin(angle), size * np.cos(angle))

        def move(mask, _):
            water = ndimage.shift((mask == 1).astype(float), away, order=1, mode="nearest") > 0.5
            none = ndimage.shift((mask < 0).astype(float), away, order=1, mode="nearest") > 0.5
            return np.where(none, -1, water).astype(np.int8)
        draw.every_mask(move, None if everywhere else draw.of_one_place)


@fault("labels shifted by half a pixel", "label position", "look shifted")
def _(draw):
    def move(mask, _):
        water = ndimage.shift((mask == 1).astype(float), (0.5, 0.5), order=1, mode="nearest") > 0.5
        return np.where(mask < 0, -1, water).astype(np.int8)
    draw.every_mask(move)


_shift("labels shifted by a pixel", 0.9, 1.5)
_shift("labels shifted by some pixels", 2, 6)
_shift("labels of one place shifted", 2, 5, everywhere=False)


@fault("labels shifted by one chip", "label position", "shifted by one chip")
def _(draw):
    step = int(draw.random.choice([-1, 1]))
    masks = list(draw.masks)
    draw.every_mask(lambda _, n: masks[(n + step) % len(masks)])


@fault("labels upside down", "label position", "upside down")
def _(draw):
    draw.every_mask(lambda mask, _: mask[::-1])


@fault("labels mirrored", "label position", "mirrored")
def _(draw):
    draw.every_mask(lambda mask, _: mask[:, ::-1])


@fault("label rows and columns exchanged", "label position", "rows and columns exchanged")
def _(draw):
    draw.every_mask(lambda mask, _: mask.T)


@fault("labels of one place exchanged", "label values", "look exchanged")
def _(draw):
    draw.every_mask(lambda mask, _: np.where(mask < 0, -1, 1 - mask).astype(np.int8),
                    draw.of_one_place)


@fault("labels of many chips missing", "label values", "may be missing")
def _(draw):
    wet = [n for n, mask in enumerate(draw.masks) if (mask == 1).mean() > 0.25]
    draw.every_mask(lambda mask, _: np.where(mask < 0, -1, 0).astype(np.int8),
                    wet[:: 2] if len(wet) > 16 else wet[: max(6, len(wet) * 2 // 3)])


@fault("most pixels unlabelled", "empty labels", "less than")
def _(draw):
    def plant(mask, _):
        mask = np.full_like(mask, -1)
        mask[:2, :4] = np.arange(4) % 2
        return mask
    chosen = draw.random.permutation(len(draw.masks))[: int(len(draw.masks) * 0.4)]
    draw.every_mask(plant, chosen)
