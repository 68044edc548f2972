"""Where the chips of a scene lie: pure geometry, in whole pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple


class ChipWindow(NamedTuple):
    """A chip's own part of a scene, in pixels, with its place in the grid of chips.

    It always lies inside the scene; at the right and lower edge it may be smaller than a chip
    (reading pads it), so that every pixel of the scene belongs to exactly one chip.
    """

    row: int
    col: int
    row_off: int
    col_off: int
    height: int
    width: int


def chip_windows(height: int, width: int, chip_shape: tuple[int, int]) -> Iterator[ChipWindow]:
    """Yield the windows of all chips of a scene, row by row from the upper left.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.
        chip_shape: Rows and columns of a chip.
    """
    rows, cols = chip_shape
    for row in range(math.ceil(height / rows)):
        for col in range(math.ceil(width / cols)):
            top, left = row * rows, col * cols
            yield ChipWindow(
                row, col, top, left, min(rows, height - top), min(cols, width - left)
            )


def block_side(height: int, width: int, chip_shape: tuple[int, int]) -> int:
    """Return the side of a spatial block in chips: 4, less where a scene would have few blocks.

    Blocks are the clusters that a split keeps whole and that intervals are drawn over. Of a
    scene of up to 16 × 16 chips about 16 blocks are made, so that even half of it can be split
    in three.
    """
    rows = math.ceil(height / chip_shape[0])
    cols = math.ceil(width / chip_shape[1])
    return max(1, min(4, round(math.sqrt(rows * cols / 16))))
