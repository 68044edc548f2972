"""Job: one source, ready to be predicted block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from workbench.errors import RecipeError, RunError
from workbench.prediction.answering import answers, device_of
from workbench.prediction.blending import Forward, Panel, Part, Pixels, Tiling, blended
from workbench.prediction.ground import Gsd
from workbench.prediction.metadata import window_metadata
from workbench.prediction.needs import Read, Source
from workbench.prediction.result import NODATA, dataset
from workbench.prediction.sources import AnySource, open_source
from workbench.prediction.store import Behind, Block, Memory, Store
from workbench.prediction.trained import Trained
from workbench.prediction.units import checked

# Pixels of all windows that go through the model at once. On a processor 16 windows of 128 × 128,
# more are no faster; some ten thousand patches of an accelerator are 80 windows of 224 × 224.
_PIXELS_AT_ONCE, _PIXELS_ON_ACCELERATOR = 2**18, 2**22
# Columns that are read together at most to fill a batch: 6 bands of 224 rows are 44 MB.
_WIDEST = 8192
# Rows that are finished together: what an interruption costs at most, and a file in a store.
_BLOCK_ROWS = 1024

Progress = Callable[[int, int], object]
Found = dict[str, npt.NDArray]


@dataclass(frozen=True)
class Options:
    """What `predict` was asked for beside runs and source; its arguments."""

    bands: Sequence[str] | None = None
    scale: float | None = None
    date: str | Sequence[str] | None = None
    gsd: Gsd = None
    window: int | None = None
    overlap: int | None = None
    batch_size: int | None = None
    entropy: bool = False


@dataclass(frozen=True, eq=False)
class Job:
    """One source with the models that answer for it."""

    trained: Trained
    source: Source
    tiling: Tiling
    forward: Forward
    entropy: bool
    stamp: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What is predicted."""
        return ("class", "probability", *(("entropy",) if self.entropy else ()))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Runs, rows and columns."""
        return len(self.trained.models), self.tiling.height, self.tiling.width

    @property
    def num_windows(self) -> int:
        """How many windows it takes."""
        return len(self.tiling.tops) * len(self.tiling.lefts)

    @property
    def blocks(self) -> list[list[Block]]:
        """The blocks of each panel from top to bottom."""
        tops, height = self.tiling.tops, self.tiling.height
        together = max(1, _BLOCK_ROWS // max(1, self.tiling.window - self.tiling.overlap))
        strips = range(0, len(tops), together)
        bottoms = [*(tops[strip] for strip in strips[1:]), height]
        return [[Block(number, strip, tops[strip], bottom, panel.left, panel.stop)
                 for strip, bottom in zip(strips, bottoms, strict=True)]
                for number, panel in enumerate(self.tiling.panels)]

    def run(self, into: Memory | Store, progress: Progress | None) -> None:
        """Predict what is missing, block by block.

        Raises:
            BandError: Values are in other units.
            DataError: The source cannot be read.
            RunError: The model's answers are not finite, or a window is too much for its device.
            OutOfSpaceError: The disk is full.
        """
        count, to_left = self.num_classes(), None
        read = checked(self.source, self.trained.needs.bands, self.trained.means)
        windows, total = 0, self.num_windows
        with (ThreadPoolExecutor(1, "workbench-read") as ahead,
              ThreadPoolExecutor(1, "workbench-write") as writer):
            behind = Behind(into, writer)
            for panel, blocks in zip(self.tiling.panels, self.blocks, strict=True):
                finished = next((at for at, block in enumerate(blocks) if not into.has(block)),
                                len(blocks))
                first = blocks[finished].strip if finished < len(blocks) \
                    else len(self.tiling.tops)
                windows += first * len(panel.lefts)
                if progress is not None and first:
                    progress(windows, total)
                if finished < len(blocks):
                    parts = self._parts(read, panel, to_left, into, first, count, ahead)
                    for block in blocks[finished:]:
                        for found in _gathered(parts, block, behind):
                            windows += len(panel.lefts) * found
                            if progress is not None:
                                progress(windows, total)
                behind.wait()
                to_left = blocks

    def in_memory(self, progress: Progress | None) -> xr.Dataset:
        """Return the whole prediction; see `run` for what it raises."""
        memory = Memory(self.names, self.shape)
        self.run(memory, progress)
        return self.dataset(memory.arrays)

    def _parts(self, read: Read, panel: Panel, to_left: list[Block] | None,
               into: Memory | Store, first: int, count: int, ahead: Executor
               ) -> Iterator[tuple[Part, Found]]:
        carried = None if to_left is None else _Carries(to_left, into)
        for part in blended(read, self.forward, count, self.tiling, panel, carried, first, ahead):
            yield part, _decided(part, len(self.trained.models), entropy=self.entropy)

    def dataset(self, arrays: dict[str, Any]) -> xr.Dataset:
        """Return arrays ``(run, y, x)`` by name on the grid of the source."""
        stamp = {} if self.stamp is None else {"stamp": self.stamp}
        facts = {**self.trained.facts, "source": self.source.name, "window": self.tiling.window,
                 "overlap": self.tiling.overlap, **(self.source.facts or {}), **stamp}
        return dataset(arrays, self.source.grid, self.trained.description.classes,
                       self.trained.names, facts)

    def num_classes(self) -> int:
        """Return how many classes come back, by asking about one empty window."""
        tiling = self.tiling
        sides = min(tiling.window, tiling.height), min(tiling.window, tiling.width)
        needs = self.trained.needs
        layers = np.full((len(needs.bands) * needs.num_frames, *sides), np.nan, np.float32)
        empty = needs.stacked(layers)[None]
        answer = self.forward(empty, [(0, 0)])
        assert answer.shape[2:] == sides, "a model answers for every pixel of its window"
        if answer.shape[1] // len(self.trained.models) >= NODATA:
            raise RunError(f"The model has {answer.shape[1] // len(self.trained.models)} classes; "
                           "a class map holds up to 254.")
        return answer.shape[1]


class _Carries:
    """What the panel to the left left for some rows; the last block read stays in memory."""

    def __init__(self, blocks: Sequence[Block], into: Memory | Store) -> None:
        self.blocks, self.into = blocks, into
        self.last: tuple[Block, Pixels] | None = None

    def __call__(self, top: int, rows: int) -> Pixels:
        block = next(block for block in self.blocks if block.top <= top < block.bottom)
        if self.last is None or self.last[0] != block:
            self.last = block, self.into.carry(block)
        return self.last[1][:, top - block.top : top - block.top + rows]


def _gathered(parts: Iterator[tuple[Part, Found]], block: Block, behind: Behind) -> Iterator[int]:
    """Gather the strips of a block and have it kept; yield 1 for each strip, once it is done."""
    found: list[Found] = []
    carries: list[Pixels] = []
    rows = 0
    while rows < block.bottom - block.top:
        part, decided = next(parts)
        found.append(decided)
        carries.append(part.carry)
        rows += part.valid.shape[0]
        if rows == block.bottom - block.top:
            behind.write(block, found, carries)
        yield 1


def prepare(trained: Trained, source: AnySource | Source, options: Options) -> Job:
    """Open a source for models; nothing is predicted yet.

    Raises:
        BandError: A band is missing or not named.
        GridError: The source does not say where its pixels are, or they are of another size.
        DataError: The file cannot be read.
        DownloadError: The server does not answer.
        RecipeError: An option is out of range, or the model needs `date`.
    """
    needs = trained.needs
    if options.scale is not None:
        if not isinstance(options.scale, (int, float)) or not np.isfinite(options.scale):
            raise RecipeError(f"scale={options.scale!r} is no number.")
        needs = replace(needs, scale=options.scale, offset=0.0)
    opened = source if isinstance(source, Source) else \
        open_source(source, needs, options.bands, options.gsd)
    window, overlap, batch_size = settings(trained, options)
    panel = opened.grid.width + window if opened.whole_rows else \
        max(Tiling.panel, min(_WIDEST, window + (batch_size - 1) * (window - overlap)))
    tiling = Tiling(opened.grid.height, opened.grid.width, window, overlap, batch_size, panel)
    date = options.date or opened.date
    metadata = [window_metadata(model, opened.grid, tiling, date) for model in trained.models]
    forward = answers(trained.models, metadata, needs.bands)
    return Job(replace(trained, needs=needs), opened, tiling, forward, options.entropy)


def settings(trained: Trained, options: Options) -> tuple[int, int, int]:
    """Return window, overlap and batch size.

    Raises:
        RecipeError: One is out of range, or the runs were trained on windows of several sizes.
    """
    window, overlap, batch_size = options.window, options.overlap, options.batch_size
    for name in ("window", "overlap", "batch_size"):
        value = getattr(options, name)
        if value is not None and not isinstance(value, (int, np.integer)):
            raise RecipeError(f"{name}={value!r} is no whole number.")
    if window is None:
        if len(set(trained.windows)) > 1:
            sides = ", ".join(f"{name} {side}" for name, side in
                              zip(trained.names or (), trained.windows, strict=False))
            raise RecipeError(
                f"The runs were trained on chips of other sizes ({sides} pixels), and their "
                f"windows are the same here: pass window={max(trained.windows)}, or predict each "
                "run on its own."
            )
        window = trained.windows[0]
    if window < 1:
        raise RecipeError(f"window={window} is below 1 pixel.")
    overlap = window // 4 if overlap is None else overlap
    if not 0 <= overlap < window:
        raise RecipeError(f"overlap={overlap} is not from 0 to {window - 1}, below the window.")
    if batch_size is None:
        batch_size = _batch_size(window, device_of(trained.models).type)
    if batch_size < 1:
        raise RecipeError(f"batch_size={batch_size} is below 1 window.")
    return window, overlap, batch_size


def _batch_size(window: int, device: str) -> int:
    """Return how many windows go through a model at once, unless the device has too little memory.

    A batch that does not fit is halved (`answering`).
    """
    if device == "cpu":
        return max(1, min(16, _PIXELS_AT_ONCE // window**2))
    return max(1, min(256, _PIXELS_ON_ACCELERATOR // window**2))


def _decided(rows: Part, count: int, *, entropy: bool) -> Found:
    """Return class, probability and entropy ``(run, y, x)`` of finished rows."""
    by_run = rows.probabilities.reshape(count, -1, *rows.valid.shape)
    best = by_run.max(axis=1)
    if not np.isfinite(best[:, rows.valid]).all():
        raise RunError(
            "The model answers with values that are not finite; its weights are damaged or "
            "its training diverged. Train it again, or load another checkpoint."
        )
    classes = np.where(rows.valid, by_run.argmax(axis=1), NODATA).astype(np.uint8)
    found: Found = {"class": classes, "probability": best}
    if entropy:
        found["entropy"] = _entropy(by_run)
    return found


def _entropy(probabilities: Pixels) -> Pixels:
    """Return Shannon's entropy in nats over axis 1; NaN where the probabilities are."""
    least = np.finfo(np.float32).tiny  # 0 log 0 is 0
    logs = np.log(np.maximum(probabilities, least))
    return np.maximum(-(probabilities * logs).sum(axis=1), np.float32(0))

