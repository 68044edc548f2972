"""D4: the eight flips and quarter turns of a chip, drawn from (seed, epoch, chip id) alone."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

# Columns written at once where rows become columns.
_STRIP = 32


def draw(seed: int, epoch: int, chip_id: str) -> int:
    """Return which of the eight symmetries a chip gets in an epoch: 0 (as it is) to 7."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{chip_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % 8


def transform(pixels: npt.NDArray, symmetry: int) -> npt.NDArray:
    """Turn and mirror the last two axes ``(..., y, x)``; 0 changes nothing.

    Chips that are not square keep their shape: quarter turns become none.
    """
    turns, mirrored = symmetry % 4, symmetry >= 4
    if pixels.shape[-1] != pixels.shape[-2]:
        turns = turns // 2 * 2
    turned = np.rot90(pixels, turns, axes=(-2, -1))
    return turned[..., ::-1] if mirrored else turned


def write(pixels: npt.NDArray, symmetry: int, place: npt.NDArray) -> None:
    """Write what `transform` returns into `place`, which has its shape."""
    turned = transform(pixels, symmetry)
    # A strip stays in the processor's cache: half the time.
    strip = _STRIP if symmetry % 2 else pixels.shape[-1]
    for start in range(0, pixels.shape[-1], strip):
        place[..., start : start + strip] = turned[..., start : start + strip]
