"""Where water runs on a terrain: filled pits, streams and height above the nearest drainage."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Drainage:
    """How a terrain drains, on its own grid.

    Attributes:
        pit_depth_m: ``(y, x)`` float32, depth of standing water if every pit were full.
        upstream: ``(y, x)`` float32, cells that drain through each cell, itself included.
        hand_m: ``(y, x)`` float32, height above the channel cell that each cell drains to (HAND).
    """

    pit_depth_m: np.ndarray
    upstream: np.ndarray
    hand_m: np.ndarray


def drain(elevation_m: np.ndarray, channel: np.ndarray, *, stream_cells: float) -> Drainage:
    """Route water over a terrain to the grid's border.

    Args:
        elevation_m: ``(y, x)`` heights.
        channel: ``(y, x)`` bool, cells of rivers already known.
        stream_cells: Cells upstream from which a stream counts as a channel.

    Source: Priority-Flood, Barnes, Lehman and Mulla (2014), doi:10.1016/j.cageo.2013.04.024;
        HAND, Nobre et al. (2011), doi:10.1016/j.jhydrol.2011.03.051.
    """
    height, width = elevation_m.shape
    # One ring of visited cells around the grid saves every bounds check.
    stride = width + 2
    ring = np.pad(elevation_m.astype(np.float64), 1, constant_values=np.inf)
    level = ring.ravel().tolist()
    visited = np.isinf(ring).ravel().tolist()
    receiver = [-1] * len(level)
    border = np.zeros(elevation_m.shape, bool)
    border[0], border[-1], border[:, 0], border[:, -1] = True, True, True, True
    heap = [(level[i], i) for i in np.flatnonzero(np.pad(border, 1)).tolist()]
    for _, i in heap:
        visited[i] = True
    heapq.heapify(heap)
    steps = (-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1)
    order = []
    while heap:
        here, i = heapq.heappop(heap)
        order.append(i)
        for step in steps:
            j = i + step
            if not visited[j]:
                visited[j] = True
                receiver[j] = i
                level[j] = max(level[j], here)
                heapq.heappush(heap, (level[j], j))

    upstream = [1.0] * len(level)
    for i in reversed(order):
        if receiver[i] >= 0:
            upstream[receiver[i]] += upstream[i]
    is_channel = np.pad(channel, 1).ravel().tolist()
    base = [0.0] * len(level)
    for i in order:
        if is_channel[i] or receiver[i] < 0 or upstream[i] > stream_cells:
            base[i] = level[i]
        else:
            base[i] = base[receiver[i]]

    def inner(values: list[float]) -> np.ndarray:
        return np.asarray(values).reshape(height + 2, stride)[1:-1, 1:-1]

    filled = inner(level)
    return Drainage(
        pit_depth_m=(filled - elevation_m).astype(np.float32),
        upstream=inner(upstream).astype(np.float32),
        hand_m=(filled - inner(base)).astype(np.float32),
    )
