"""Colours of chips: by part, region, class share, valid fraction or date."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from workbench.data import PARTS, Dataset, Split
from workbench.data.split import display_name

PART_NAMES = {"train": "train", "val": "validation", "test": "test", "held_out": "held out",
              "left_out": "left out"}  # fmt: skip
SETS = 12  # colours of regions and collections; more take them again
_STEPS = 6
_MOST_NAMED = 12
_EPOCH = pd.Timestamp("1970-01-01", tz="UTC")
Codes = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Tint:
    """A colour for each shape.

    Attributes:
        codes: Place of each shape's colour in `palette`.
        palette: Colours as `#rrggbb`, or names of the style sheet's.
        legend: Names of the colours; none where there are too many.
    """

    codes: Codes
    palette: list[str]
    legend: list[tuple[str, str]]


def choices(dataset: Dataset) -> list[tuple[str, str]]:
    """Return what chips may be coloured by, as name and words."""
    shares = [(f"class:{place}", f"{entry.name} share") for place, entry in
              enumerate(dataset.classes)]
    found = [("part", "part"), ("region", "region"), *shares]
    if dataset.chips["valid_fraction"].nunique() > 1:
        found.append(("valid", "valid fraction"))
    if _days(dataset).nunique() > 1:
        found.append(("date", "date"))
    return found


def tint(split: Split, by: str) -> Tint:
    """Return the colours of all chips of a split's dataset.

    Args:
        split: Their parts.
        by: One of `choices`.
    """
    dataset = split.dataset
    if by == "part":
        return _parts(split)
    if by == "region":
        return _regions(dataset)
    if by == "date":
        since = (_days(dataset) - _EPOCH) / pd.Timedelta(days=1)
        return _ramp(since.to_numpy(np.float64), _day)
    if by == "valid":
        return _ramp(dataset.chips["valid_fraction"].to_numpy(float), _percent)
    return _ramp(class_shares(dataset)[:, int(by.removeprefix("class:"))], _percent)


def class_shares(dataset: Dataset) -> npt.NDArray[np.float64]:
    """Return the share of each class among the labelled pixels, ``(chip, class)``."""
    names = [f"count_{place}" for place in range(dataset.num_classes)]
    counts = dataset.chips[names].to_numpy(float)
    shares: npt.NDArray[np.float64] = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares


def _parts(split: Split) -> Tint:
    place = dict.fromkeys(split.dataset.chips.index, len(PARTS))
    for number, part in enumerate(PARTS):
        place |= dict.fromkeys(split.parts[part], number)
    codes = np.fromiter(place.values(), np.uint8, len(place))
    names = list(PART_NAMES)
    there = [name for number, name in enumerate(names) if (codes == number).any()]
    return Tint(codes, [f"--wb-{name}" for name in names],
                [(PART_NAMES[name], f"--wb-{name}") for name in there])


def _regions(dataset: Dataset) -> Tint:
    regions = dataset.regions
    place = {region: number % SETS for number, region in enumerate(regions)}
    codes = dataset.chips["region"].map(place).to_numpy(np.uint8)
    legend = [(display_name(region), f"--wb-set-{place[region]}") for region in regions]
    return Tint(codes, [f"--wb-set-{number}" for number in range(SETS)],
                legend if len(legend) <= _MOST_NAMED else [])


def _ramp(values: npt.NDArray[np.floating], say: Callable[[float], str]) -> Tint:
    """Colour values in a few steps of equal width from the least to the largest."""
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)
    width = (high - low) / _STEPS or 1.0
    codes = np.full(len(values), _STEPS, np.uint8)
    codes[known] = np.clip((values[known] - low) / width, 0, _STEPS - 1).astype(np.uint8)
    # The ends of the colour map are left out: one is lost on a dark page, one on a light one.
    palette = [to_hex(colormaps["viridis"](0.12 + 0.8 * step / (_STEPS - 1)))
               for step in range(_STEPS)]
    edges = [low + step * width for step in range(_STEPS + 1)]
    legend = [(f"{say(edges[step])} – {say(edges[step + 1])}", palette[step])
              for step in range(_STEPS)]
    if not known.all():
        legend.append(("unknown", "--wb-left_out"))
    return Tint(codes, [*palette, "--wb-left_out"], legend)


def _days(dataset: Dataset) -> pd.Series:
    return pd.to_datetime(dataset.chips["date"], errors="coerce", format="ISO8601", utc=True)


def _day(since: float) -> str:
    return (_EPOCH + pd.Timedelta(days=round(since))).date().isoformat()


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
