"""Sample chips: image, label, what each run predicts, and where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from workbench.assembly import load_model
from workbench.data import Dataset, Split
from workbench.data.choosing import telling_chips
from workbench.data.sample import Sample
from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.pixels import (
    FALSE_ALARM,
    MISSED,
    NO_LABEL,
    TRUE_COLOUR,
    Pixels,
    classified,
    judged,
    stretched,
)
from workbench.runs import Run

INCHES_PER_CHIP = 1.35


@dataclass(frozen=True)
class Strip:
    """One chip with everything that is drawn of it; of several dates, `picture` is the last."""

    chip_id: str
    region: str
    date: str | None
    held_out: bool
    picture: Pixels
    label: npt.NDArray[np.int64]
    predictions: dict[str, npt.NDArray]
    earlier: tuple[Pixels, ...] = ()


@dataclass(frozen=True)
class ChipTable:
    """Strips with the classes they share."""

    classes: tuple[str, ...]
    colours: tuple[str, ...]
    strips: list[Strip] = field(default_factory=list)

    @property
    def runs(self) -> list[str]:
        """Return the names of the runs whose predictions are drawn."""
        return list(self.strips[0].predictions) if self.strips else []

    @property
    def frames(self) -> list[str]:
        """Return the titles of the images: one for each date."""
        count = 1 + len(self.strips[0].earlier) if self.strips else 1
        return ["image"] if count == 1 else [f"frame {place + 1}" for place in range(count)]


def draw(table: ChipTable, figure: Figure) -> None:
    """Draw one row a chip, its dates side by side; a single run gets its errors apart."""
    if not table.strips:
        raise DataError("There are no chips to draw: the dataset or region is empty.")
    titles = [*table.frames, "label", *_prediction_titles(table.runs)]
    grid = figure.subplots(len(table.strips), len(titles), squeeze=False)
    for strip, row in zip(table.strips, grid, strict=True):
        for axes, picture in zip(row, pictures(strip, table.colours), strict=True):
            axes.imshow(picture, interpolation="nearest")
            style.image_axes(axes)
        _name(row[0], strip)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(_wrapped(title), fontsize=9.5, loc="center", fontweight="normal")
    figure.legend(handles=legend(table), loc="outside lower left", ncols=5,
                  handlelength=1, handleheight=1, columnspacing=1.4)


def pictures(strip: Strip, colours: Sequence[str]) -> list[Pixels]:
    """Return what a row shows: image, label, and prediction or errors of each run."""
    shown = [*strip.earlier, strip.picture, classified(strip.label, colours)]
    for predicted in strip.predictions.values():
        if len(strip.predictions) == 1:
            shown.append(classified(predicted, colours))
        shown.append(judged(strip.label, predicted, colours))
    return shown


def _prediction_titles(runs: list[str]) -> list[str]:
    return [f"{runs[0]}", "errors"] if len(runs) == 1 else runs


def _wrapped(title: str, width: int = 16) -> str:
    words, lines = title.replace("-", "-\u200b").replace("_", "_\u200b").split(" "), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines).replace("\u200b", "")


def _name(axes: Axes, strip: Strip) -> None:
    look = style.current()
    words = [strip.region, *(["held out"] if strip.held_out else []), strip.date or ""]
    axes.set_ylabel("\n".join(filter(None, words)), rotation=0, ha="right", va="center",
                    fontsize=9, color=look.held_out if strip.held_out else look.ink)


def legend(table: ChipTable) -> list[Patch]:
    """Return what the colours mean."""
    entries = list(zip(table.classes, table.colours, strict=True))
    if table.runs:
        two = len(table.classes) == 2
        entries.append((f"missed {table.classes[1]}" if two else "wrong", MISSED))
        if two:
            entries.append((f"false {table.classes[1]}", FALSE_ALARM))
    if any((strip.label < 0).any() for strip in table.strips):
        entries.append(("no label", NO_LABEL))
    return [Patch(facecolor=colour, label=name) for name, colour in entries]


def _size(table: ChipTable) -> tuple[float, float]:
    runs = len(table.runs)
    columns = 1 + len(table.frames) + (2 if runs == 1 else runs)
    return 1.0 + INCHES_PER_CHIP * columns, 0.75 + INCHES_PER_CHIP * len(table.strips)


def data(source: Any, *, chips: Sequence[str] | None = None, region: str | None = None,
         count: int = 4, bands: Sequence[str] = TRUE_COLOUR) -> ChipTable:
    """Read chips and predict them.

    Args:
        source: A dataset, a split, a run, or several runs of one split.
        chips: Ids of the chips; without them a few that hold every class, chosen by their labels
            alone: of a split, from its test part and its held-out regions.
        region: Choose among the chips of this region.
        count: How many to choose.
        bands: Bands shown as red, green and blue.
    """
    runs = [entry for entry in (source if isinstance(source, (list, tuple)) else [source])
            if isinstance(entry, Run)]
    split = runs[0].split if runs else source if isinstance(source, Split) else None
    dataset = split.dataset if split else source
    chosen = list(chips) if chips is not None else choose(split or dataset, count, region)
    samples = [dataset.read(chip) for chip in chosen]
    predictions = [_predicted(run, dataset, chosen) for run in runs]
    hold_out = split.hold_out if split else ()
    strips = [
        Strip(sample.chip_id, display_name(sample.region), _dates(sample),
              sample.region in hold_out, picture, sample.mask,
              {run.name: found[place] for run, found in zip(runs, predictions, strict=True)},
              tuple(earlier))
        for place, sample in enumerate(samples)
        for *earlier, picture in [_pictures(sample, dataset.bands, bands)]
    ]
    return ChipTable(tuple(entry.name for entry in dataset.classes),
                     tuple(entry.color for entry in dataset.classes), strips)


def choose(source: Split | Dataset, count: int, region: str | None = None) -> list[str]:
    """Choose chips that hold every class, by their labels alone, from as many regions as can be.

    Of a split, half come from held-out regions and half from the test part.
    """
    if isinstance(source, Dataset):
        return telling_chips(source.select(region=region) if region else source, count)
    if region:
        name = source.dataset.find_region(region)
        part = source.held_out if name in source.hold_out else source.test
        return telling_chips(part.select(region=name), count)
    held_out = telling_chips(source.held_out, (count + 1) // 2)
    return held_out + telling_chips(source.test, count - len(held_out))


def _dates(sample: Sample) -> str | None:
    return "\n".join(sample.date) if isinstance(sample.date, tuple) else sample.date


def _pictures(sample: Sample, bands: Sequence[str], shown: Sequence[str]) -> list[Pixels]:
    """Return a picture of each date, all stretched alike: what changes in them has changed."""
    frames = sample.image.reshape(len(sample.image), -1, *sample.mask.shape)
    beside = np.concatenate(list(frames.swapaxes(0, 1)), axis=-1)
    clear = np.tile(sample.mask >= 0, frames.shape[1])
    return np.split(stretched(beside, bands, shown, clear=clear), frames.shape[1], axis=1)


def _predicted(run: Run, dataset: Dataset, chips: Sequence[str]) -> list[npt.NDArray]:
    model = load_model(run)
    device = next(model.parameters(), torch.zeros(0)).device
    narrowed = dataset.with_bands(run.bands)
    with torch.inference_mode():
        return [
            model(torch.from_numpy(narrowed.read(chip).image)[None].to(device))[0]
            .argmax(0).cpu().numpy()
            for chip in chips
        ]


def suits(source: Any) -> bool:
    """Nothing by itself: a dataset is shown on the map, a run by its curves."""
    return False


PLOTS.add("chips", Plot(data, draw, _size, suits))
