"""Pixels as colours: stretched bands, classes, and where a prediction is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgba

from workbench.errors import BandError
from workbench.evaluation.maps import FALSE_ALARM, MISSED

Pixels = npt.NDArray[np.uint8]  # (y, x, 4) RGBA

TRUE_COLOUR = ("RED", "GREEN", "BLUE")
# Share of valid pixels darkened or brightened to the full at each end.
CLIPPED_PERCENT = 1.5
# Land hardly reflects more in the visible than this above its darkest pixels; clouds do, and
# would turn everything else black.
CLOUD_REACH = 0.25
NO_LABEL = "#b9bfc6"


@dataclass(frozen=True)
class Stretch:
    """Which values are darkest, by band, and how far above them the brightest lies."""

    low: tuple[float, float, float]
    reach: float


def stretched(image: npt.NDArray, bands: Sequence[str], shown: Sequence[str] = TRUE_COLOUR,
              clear: npt.NDArray[np.bool_] | None = None,
              stretch: Stretch | None = None) -> Pixels:
    """Show three bands as red, green and blue.

    Invalid pixels are transparent.

    Args:
        image: ``(band, y, x)`` in physical units, NaN where not valid.
        bands: Names of the bands of `image`, in order.
        shown: Bands for red, green and blue; an image without them shows its first one in grey.
        clear: Pixels ``(y, x)`` that decide the range, for example those without cloud.
        stretch: The range; by default that of `find_stretch`.
    """
    chosen = _chosen(image, bands, shown)
    valid = np.isfinite(chosen).all(axis=0)
    colours = np.zeros((*valid.shape, 4), np.uint8)
    if stretch is None:
        stretch = _stretch(chosen, valid, clear)
    if stretch is None:
        return colours
    scaled = np.clip((chosen - np.reshape(stretch.low, (3, 1, 1))) / stretch.reach, 0, 1)
    # A gamma below one opens the shadows, where water and wet soil are.
    colours[..., :3] = np.where(valid, 255 * scaled**0.8, 0).transpose(1, 2, 0).astype(np.uint8)
    colours[..., 3] = np.where(valid, 255, 0)
    return colours


def find_stretch(image: npt.NDArray, bands: Sequence[str],
                 shown: Sequence[str] = TRUE_COLOUR) -> Stretch | None:
    """Return the range that shows an image well, None where it has no valid pixel.

    Each band starts at its own dark end (which takes out haze) and all share one range (which
    keeps colours); both ends are percentiles over valid pixels. For the arguments see `stretched`.
    """
    chosen = _chosen(image, bands, shown)
    return _stretch(chosen, np.isfinite(chosen).all(axis=0))


def _chosen(image: npt.NDArray, bands: Sequence[str], shown: Sequence[str]) -> npt.NDArray:
    if set(shown) <= set(bands):
        return image[[list(bands).index(name) for name in shown]].astype(float)
    if tuple(shown) == TRUE_COLOUR:
        return np.repeat(image[:1].astype(float), 3, axis=0)
    raise BandError(f"The image has no {', '.join(set(shown) - set(bands))}; "
                    f"it has {', '.join(bands)}.")


def _stretch(chosen: npt.NDArray, valid: npt.NDArray[np.bool_],
             clear: npt.NDArray[np.bool_] | None = None) -> Stretch | None:
    if not valid.any():
        return None
    decides = valid if clear is None or not (valid & clear).any() else valid & clear
    low, high = np.percentile(chosen[:, decides], [CLIPPED_PERCENT, 100 - CLIPPED_PERCENT], axis=1)
    reach = max(float((high - low).max()), 1e-6)
    if reach < 1:  # reflectance
        reach = min(reach, CLOUD_REACH)
    elif reach > 100:  # reflectance times 10 000, as files store it; decibels lie between
        reach = min(reach, CLOUD_REACH * 10_000)
    return Stretch(tuple(map(float, low)), reach)  # type: ignore[arg-type]


def classified(classes: npt.NDArray, colours: Sequence[str], *,
               no_label: str = NO_LABEL) -> Pixels:
    """Paint classes ``(y, x)`` in their colours, and whatever is no class as `no_label`."""
    painted = np.empty((*classes.shape, 4), np.uint8)
    painted[:] = _rgba(no_label)
    for value, colour in enumerate(colours):
        painted[classes == value] = _rgba(colour)
    return painted


def judged(label: npt.NDArray, predicted: npt.NDArray, colours: Sequence[str]) -> Pixels:
    """Paint right pixels in their class colour and wrong ones in colours that mean wrong.

    With two classes, the second (water) counts as what is looked for: `MISSED` where it is
    labelled but not predicted, `FALSE_ALARM` where it is predicted but not labelled. With more,
    every wrong pixel is `MISSED`. Pixels without a label show no judgement.
    """
    painted = classified(label, colours)
    wrong = (label >= 0) & (label != predicted)
    painted[wrong] = _rgba(MISSED)
    if len(colours) == 2:
        painted[wrong & (predicted == 1)] = _rgba(FALSE_ALARM)
    return painted


def _rgba(colour: str) -> Pixels:
    return np.round(np.array(to_rgba(colour)) * 255).astype(np.uint8)
