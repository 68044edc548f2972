"""Windows that cover a raster, and the tapers that blend them without a seam.

Next to a window's inner edges a model sees zeros instead of ground. The outermost quarter of the
overlap on each side is therefore thrown away, and what is left of it is blended by a cosine. For
a model whose receptive field reaches no further than that quarter (`margin`), the blended answer
equals the answer to the whole raster.

Source: TerraTorch 1.2, tiled_inference (crop by `delta`, cosine ramp); the margin is given by the
overlap here, so that no setting can leave a pixel uncovered.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def window_starts(length: int, window: int, overlap: int) -> list[int]:
    """Return where windows begin along an axis, so that neighbours share `overlap` or more pixels.

    The last window is moved back to end with the raster. A raster shorter than a window has one
    window of its own length.
    """
    assert 0 <= overlap < window
    assert length > 0
    if length <= window:
        return [0]
    stride = window - overlap
    return [*range(0, length - window, stride), length - window]


def margin(overlap: int) -> int:
    """Return how many pixels are thrown away at each inner edge of a window."""
    return overlap // 4


def taper(size: int, overlap: int, *, before: bool, after: bool) -> npt.NDArray[np.float32]:
    """Return the weights along one side of a window: 0 in the margin, then a cosine, then 1.

    Args:
        size: Length of the window.
        overlap: The least number of pixels that neighbours share.
        before: Whether there is a neighbour before; the raster's own edge keeps its weight.
        after: Whether there is a neighbour after.
    """
    weights = np.ones(size, np.float32)
    length = overlap - 2 * margin(overlap)
    steps = (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1)
    ramp = np.concatenate([np.zeros(margin(overlap)), 0.5 - 0.5 * np.cos(np.pi * steps)])
    if before and len(ramp):
        weights[: len(ramp)] *= ramp.astype(np.float32)
    if after and len(ramp):
        weights[-len(ramp) :] *= ramp[::-1].astype(np.float32)
    return weights
