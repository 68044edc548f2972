"""How well the image tells the label: a linear reading of the bands, fitted in milliseconds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from workbench.data.doctor.evidence import Floats, Look

Labels = npt.NDArray[np.int64]
# Pixels of a chip that are looked at: neighbours say the same, so more teach nothing.
_PIXELS_A_CHIP = 400
# Pairs of more bands than this would be slow; they say little that is new.
_PAIRED_BANDS = 6
# Ridge, per pixel: keeps bands that are copies of each other from cancelling.
_RIDGE = 1e-3


@functools.lru_cache(maxsize=8)
def _scattered(pixels: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng(0).permutation(pixels)[:_PIXELS_A_CHIP]


def thinned(pixels: npt.NDArray) -> npt.NDArray:
    """Return some scattered pixels of a chip, always the same, ``(…, pixel)`` of ``(…, y, x)``."""
    flat = pixels.reshape(*pixels.shape[:-2], -1)
    return flat[..., _scattered(flat.shape[-1])]


def features(image: Floats) -> Floats:
    """Return bands and normalised differences of their pairs, ``(feature, …)``; NaN is 0."""
    chosen = np.linspace(0, len(image) - 1, min(len(image), _PAIRED_BANDS)).astype(int)
    with np.errstate(invalid="ignore", divide="ignore"):
        indices = [
            np.clip((image[one] - image[other]) / (image[one] + image[other]), -1, 1)
            for one, other in combinations(chosen, 2)
        ]
    stacked = np.concatenate([image, np.array(indices).reshape(-1, *image.shape[1:])])
    return np.nan_to_num(stacked, posinf=0, neginf=0).astype(np.float32)


class Reading:
    """A linear reading of features that tells each class, fitted to some chips.

    Args:
        images: Features of each chip, ``(feature, …)``.
        masks: The labels that they are to tell, ``(…)``, -1 for none.
        num_classes: How many classes there are.
    """

    def __init__(self, images: Sequence[Floats], masks: Sequence[Labels], num_classes: int) -> None:
        x = np.concatenate([image[:, mask >= 0] for image, mask in zip(images, masks, strict=True)],
                           axis=1).T.astype(float)
        y = np.concatenate([mask[mask >= 0] for mask in masks])
        self.num_classes = num_classes
        self.middle, self.spread = x.mean(0), x.std(0) + 1e-9
        target = np.eye(num_classes)[y]
        self.share = target.mean(0)
        x = (x - self.middle) / self.spread
        gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
        self.weights = np.linalg.solve(gram, x.T @ (target - self.share))

    def scores(self, image: Floats) -> Floats:
        """Return how much each class is likelier than usual, ``(class, …)``."""
        flat = (image.reshape(len(image), -1).T - self.middle) / self.spread
        told: Floats = (flat @ self.weights).T.reshape(self.num_classes, *image.shape[1:])
        return told

    def agreement(self, images: Sequence[Floats], masks: Sequence[Labels]) -> float:
        """Return the correlation of scores and labels over the pixels of some chips, -1 to 1."""
        told, true = [], []
        for image, mask in zip(images, masks, strict=True):
            labelled = mask >= 0
            told.append(self.scores(image)[:, labelled])
            true.append(np.eye(self.num_classes)[mask[labelled]].T - self.share[:, None])
        one, other = np.concatenate(told, 1), np.concatenate(true, 1)
        length = np.sqrt((one**2).sum() * (other**2).sum())
        return float((one * other).sum() / length) if length else 0.0


def agreement(images: Sequence[Floats], masks: Sequence[Labels], num_classes: int) -> float:
    """Return how well a reading fitted to one half of the chips tells the labels of the other."""
    halves = [[number for number in range(len(images)) if number // 4 % 2 == half]
              for half in (0, 1)]
    found = []
    for fit, test in (halves, halves[::-1]):
        if not any((masks[number] >= 0).any() for number in fit) or not test:
            return 0.0
        reading = Reading([images[n] for n in fit], [masks[n] for n in fit], num_classes)
        found.append(reading.agreement([images[n] for n in test], [masks[n] for n in test]))
    return float(np.mean(found))


def telling(looks: Sequence[Look]) -> list[Look]:
    """Return the looks that have labels at all."""
    return [look for look in looks if (look.mask >= 0).any()]
