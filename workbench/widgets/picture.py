"""A dashboard as a still picture: what stays where there is no kernel and no widget."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from workbench.plots import curves, preview
from workbench.plots.chips import ChipTable
from workbench.plots.style import Picture, themed
from workbench.reprs import readable_duration, readable_percent
from workbench.widgets.following import Follower
from workbench.widgets.thinning import DEVICE, HOST, LOSS, LR, PEAK, SPEED, X

DPI = 100
_WIDTH = 8.6


def drawn(followers: Sequence[Follower], chips: ChipTable) -> bytes | None:
    """Return curves and chips below each other as PNG, None before the first step."""
    table = curve_table(followers)
    if table.empty:
        return None
    with themed() as look:
        # A part of its own: a title would share its place with the legend of several runs.
        words = Picture(figsize=(_WIDTH, 0.1 + 0.2 * len(followers)))
        words.text(0.01, 0.5, "\n".join(map(summary, followers)), va="center", fontsize=10,
                   color=look.muted)
        drawing = Picture(figsize=(_WIDTH, 5.0), layout="constrained")
        curves.draw(table, drawing)
        parts = [_pixels(words), _pixels(drawing)]
        if chips.strips:
            samples = Picture(figsize=(_WIDTH, preview.size(chips)[1]), layout="constrained")
            preview.draw(chips, samples)
            parts.append(_pixels(samples))
    return _png(np.concatenate(parts))


def summary(follower: Follower) -> str:
    """Say in one line how far a run is and how well it does."""
    words = [follower.name, follower.headline() if follower.live else follower.state]
    if follower.best_miou is not None:
        words.append(f"validation mIoU {readable_percent(follower.best_miou)}")
    if follower.left_s is not None:
        words.append(f"at most {readable_duration(follower.left_s)} left")
    elif not follower.live:
        words.append(readable_duration(follower.elapsed_s))
    return " · ".join(filter(None, words))


def curve_table(followers: Sequence[Follower]) -> pd.DataFrame:
    """Return the table that the plot "curves" draws, from the thinned steps."""
    rows = [(follower.name, *row) for follower in followers for row in _rows(follower)]
    return pd.DataFrame(rows, columns=curves.COLUMNS).astype({"value": float})


def _rows(follower: Follower) -> Iterator[tuple[str, float, float | None]]:
    on_device = any(row[DEVICE] is not None for row in follower.steps.rows)
    columns = {"step_loss": LOSS, "lr": LR, "samples_per_s": SPEED,
               "memory": DEVICE if on_device else HOST, "memory_peak": PEAK}
    for row in follower.steps.rows:
        for quantity, column in columns.items():
            if quantity != "memory_peak" or on_device:
                yield quantity, float(row[X] or 0), row[column]
        if follower.capacity_bytes:
            yield "capacity", float(row[X] or 0), follower.capacity_bytes
    for at, train, val, miou, best, regions, held_out, _ in follower.epochs:
        yield from (("train_loss", at, train), ("val_loss", at, val), ("val_miou", at, miou))
        yield from ((f"val_miou/{name}", at, score)
                    for name, score in zip(follower.regions, regions, strict=False))
        yield from ((f"held_out_miou/{name}", at, score)
                    for name, score in zip(follower.held_out, held_out, strict=False))
        if best:
            yield "best", at, miou


def _pixels(figure: Picture) -> npt.NDArray[np.uint8]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=DPI)
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(-1, round(_WIDTH * DPI), 4)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    # With a palette it is a third as long: it is sent again and again and stored in notebooks.
    few = Image.fromarray(pixels[..., :3].copy()).quantize(256)
    buffer = io.BytesIO()
    few.save(buffer, "png", optimize=True)
    return buffer.getvalue()
