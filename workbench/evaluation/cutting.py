"""Chips cut by polygons, pixel by pixel: each polygon has the counts of its own pixels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import CRS, Transformer

from workbench.data import Dataset
from workbench.data.sample import Sample
from workbench.errors import RunError, SplitError
from workbench.evaluation.answers import Answers
from workbench.evaluation.entries import Entry
from workbench.evaluation.grouping import AREA, named_areas
from workbench.evaluation.scores import Scores
from workbench.metrics import confusion, reliability
from workbench.runs import Run

# Chips that a model answers to at once.
_AT_ONCE = 8
# The curved sides of a chip's pixels are nearer to the straight ones of its footprint than this
# share of its side; what lies further inside a polygon needs no look at its pixels.
_MARGIN = 0.02
# In pixels: a centre on the border of two polygons is in one of them, never in both.
_OFF_BORDERS = 1e-4, 2e-4

Areas = Mapping[str, shapely.Geometry]
# Opened where a border crosses a chip, and only then.
Data = Callable[[], Dataset]


class Cut(NamedTuple):
    """Entries whose rows are pieces of chips, the polygon in the column `area`."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


class _Piece(NamedTuple):
    """What a polygon holds of the chip at a place of the scores; `bits` is None for all of it."""

    place: int
    area: str
    bits: npt.NDArray[np.uint8] | None = None


def cut(entries: Sequence[Entry], polygons: geopandas.GeoDataFrame) -> Cut:
    """Give every polygon the pixels whose centres it holds.

    Chips that lie in a polygon as a whole keep the counts that were stored. Only those that a
    border crosses are looked at: their labels are read again, and what runs answer, which is kept
    in `predictions/chips` of each run.

    Args:
        entries: Lines of a comparison, all scored on the same chips.
        polygons: Their edges are straight in their own CRS.

    Raises:
        GridError: The polygons have no CRS.
        RunError: There are scores without their runs, or without footprints of the chips.
        SplitError: Labels have changed since they were scored.
    """
    from tqdm.auto import tqdm

    chips = entries[0].first.chips
    areas = named_areas(chips, polygons)
    runs = [entry.runs_by_seed for entry in entries]
    for entry, own in zip(entries, runs, strict=True):
        if not all(own):
            raise RunError(
                f"Scores of {entry.name!r} came without their runs, so there are no pixels to cut. "
                "Compare the runs themselves, wb.compare([wb.open_run('runs/…'), …], by=polygons, "
                "exact=True), or group whole chips: exact=False."
            )
    data = functools.cache(lambda: runs[0][0][0].split.dataset)
    pieces, shared = _pieces(chips, areas, CRS.from_user_input(polygons.crs), data)
    crossed = len({piece.place for piece in pieces if piece.bits is not None})
    with tqdm(total=crossed * sum(len(seed) for own in runs for seed in own), unit=" answers",
              desc="cut by polygons", delay=1) as bar:
        found = tuple(
            dataclasses.replace(entry, seeds=tuple(
                _in_pieces(scores, seed, pieces, data, bar.update)
                for scores, seed in zip(entry.seeds, own, strict=True)))
            for entry, own in zip(entries, runs, strict=True))
    notes = [f"Polygons have the pixels whose centres they hold: {crossed} of {len(chips)} chips "
             "are cut by their borders."]
    if shared:
        notes.append(f"Polygons overlap: pixels of {shared} chips count in several of them.")
    if missing := [name for name in areas if name not in {piece.area for piece in pieces}]:
        notes.append(f"No scored pixel lies in {', '.join(missing)}.")
    return Cut(found, tuple(notes))


def _pieces(chips: pd.DataFrame, areas: Areas, crs: CRS,
            data: Data) -> tuple[list[_Piece], int]:
    """Return what the areas hold of the chips, and how many chips have pixels in several."""
    whole, crossing = _touching(chips, areas, crs)
    pieces, shared = [], 0
    for place in sorted({*whole, *crossing}):
        count = np.array(len(whole.get(place, ())))
        pieces += [_Piece(place, area) for area in whole.get(place, ())]
        if place in crossing:
            sample = data().read(str(chips.index[place]))
            x, y = _centres(sample, crs)
            for area in crossing[place]:
                inside = shapely.contains_xy(areas[area], x, y)
                count = count + inside
                if inside.any():
                    bits = None if inside.all() else np.packbits(inside)
                    pieces.append(_Piece(place, area, bits))
        shared += bool((count > 1).any())
    return pieces, shared


def _touching(chips: pd.DataFrame, areas: Areas,
              crs: CRS) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Return the areas that hold a chip as a whole, and those whose border is at it, by place."""
    outlines = chips.geometry.to_numpy()
    sides = np.sqrt(np.nan_to_num(shapely.area(outlines)))
    placed = geopandas.GeoSeries(shapely.buffer(outlines, _MARGIN * sides),
                                 crs="EPSG:4326").to_crs(crs).to_numpy()
    # What has no place in the projection of the polygons is in none of them.
    placed[~np.isfinite(shapely.bounds(placed)).all(axis=1)] = None
    tree = shapely.STRtree(placed)
    whole: dict[int, list[str]] = {}
    crossing: dict[int, list[str]] = {}
    for name, area in areas.items():
        near = np.sort(tree.query(area, predicate="intersects"))
        for place, held in zip(near.tolist(), shapely.covers(area, placed[near]), strict=True):
            (whole if held else crossing).setdefault(place, []).append(name)
    return whole, crossing


def _centres(sample: Sample, crs: CRS) -> tuple[npt.NDArray, npt.NDArray]:
    """Return the coordinates ``(y, x)`` of a chip's pixels in another CRS."""
    height, width = sample.mask.shape
    columns, rows = np.meshgrid(np.arange(width) + 0.5 + _OFF_BORDERS[0],
                                np.arange(height) + 0.5 + _OFF_BORDERS[1])
    a, b, c, d, e, f = sample.transform[:6]
    there = Transformer.from_crs(sample.crs, crs, always_xy=True)
    return there.transform(a * columns + b * rows + c, d * columns + e * rows + f)


def _in_pieces(scores: Scores, runs: Sequence[Run], pieces: Sequence[_Piece], data: Data,
               step: Callable[[], object]) -> Scores:
    """Return scores with a row a piece; what runs say of pieces of chips is added up."""
    places = [piece.place for piece in pieces]
    crossed: dict[int, list[int]] = {}
    for row, piece in enumerate(pieces):
        if piece.bits is not None:
            crossed.setdefault(piece.place, []).append(row)
    counts, labelled = scores.counts[places], np.zeros_like(scores.counts[:, :, 0])
    histograms = None if scores.reliability is None else scores.reliability[places]
    for rows in crossed.values():
        counts[rows] = 0
        if histograms is not None:
            histograms[rows] = 0
    for place, sample, classes, confidence in _answers(scores, runs, list(crossed), data, step):
        labelled[place] += confusion(sample.mask, classes, len(scores.classes)).sum(-1)
        for row in crossed[place]:
            bits = pieces[row].bits
            assert bits is not None
            inside = np.unpackbits(bits, count=sample.mask.size).reshape(sample.mask.shape)
            target = np.where(inside, sample.mask, -1)
            counts[row] += confusion(target, classes, len(scores.classes))
            if histograms is not None:
                histograms[row] += reliability(target, classes, confidence)
    _require_same_labels(scores, labelled, list(crossed))
    chips = scores.chips.iloc[places].assign(**{AREA: [piece.area for piece in pieces]})
    return dataclasses.replace(scores, chips=chips, counts=counts, reliability=histograms)


def _answers(scores: Scores, runs: Sequence[Run], places: Sequence[int], data: Data,
             step: Callable[[], object]) -> Iterator[tuple[int, Sample, npt.NDArray, npt.NDArray]]:
    """Yield chips, by their place, with the classes of every run that was scored on them."""
    ids, parts = scores.chips.index.astype(str), scores.chips["part"].to_numpy()
    for run in runs if places else ():
        asked = Answers(run, data())
        scored = {part: set(map(str, run.split.parts[part])) for part in set(parts)}
        own = [place for place in places if ids[place] in scored[parts[place]]]
        for first in range(0, len(own), _AT_ONCE):
            together = own[first : first + _AT_ONCE]
            said = asked.of([ids[place] for place in together])
            for place in together:
                answer = said[ids[place]]
                confidence = answer.probabilities.max(axis=0).astype(np.float32)
                yield place, data().read(ids[place]), answer.classes, confidence
                step()


def _require_same_labels(scores: Scores, labelled: npt.NDArray, places: Sequence[int]) -> None:
    stored = scores.counts.sum(-1)
    if changed := [place for place in places if (labelled[place] != stored[place]).any()]:
        raise SplitError(
            f"The labels of {len(changed)} chips, such as {scores.chips.index[changed[0]]}, have "
            f"changed since {scores.run!r} was scored. Score it again: wb.evaluate(run)."
        )
