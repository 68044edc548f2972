"""chip_map: the ground around a chip with its label and what each run makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from workbench.data import Dataset
from workbench.data.sample import Sample
from workbench.errors import RunError, unknown_name
from workbench.evaluation.answers import Answer, Answers, Relay
from workbench.evaluation.comparison import Comparison
from workbench.prediction.chips import NOWHERE
from workbench.prediction.grid import raster_grid
from workbench.prediction.result import NODATA, dataset
from workbench.runs import Run

# Chips that show enough ground by themselves, in pixels: nine of them would be long in coming.
_WIDE = 256
# Rounding of coordinates, not another grid.
_SAME_PIXELS = 0.01


def chip_map(runs: Run | Iterable[Run] | Comparison, chip: str, *, around: int | None = None,
             among: Iterable[str] | None = None, seed: int | None = None) -> xr.Dataset:
    """Return the ground around a chip: image, label, and what each run makes of every pixel.

    What runs answer is kept in their folders (`predictions/chips`), so it is computed once.

    Args:
        runs: One or several runs on the same dataset, or their comparison; the dataset of the
            first is read.
        chip: Id of a chip of that dataset.
        around: How many chips' sides are shown around it, where neighbours lie on its grid and
            have its date; by default one, and none where chips are wider than 256 pixels.
        among: Neighbours are chosen from these; by default from the chips that were not trained
            on.
        seed: Of a comparison whose lines have several seeds, the one that answers; by default the
            first. Of several splits the run answers that held the chip out.

    Returns:
        `image` ``(band, y, x)`` in physical units, of several dates the last one, `label`
        ``(y, x)`` uint8, and of each run `class` ``(run, y, x)`` uint8, its `probability`, and
        `probabilities` ``(run, category, y, x)``. 255 and NaN where there is none. A single run
        without a list comes without the dimension `run`. Chips without a CRS are put at latitude
        and longitude 0, and the attribute `georeferenced` is 0.

    Raises:
        UnknownNameError: There is no such chip, or no such seed.
        RunError: The runs have other classes than the dataset, the same name, or no checkpoint.
        BandError: The dataset lacks a band that a run needs.
        DataError: A chip cannot be read.
    """
    if isinstance(runs, Comparison):
        answers = answering(runs, seed)
        scored = list(dict.fromkeys(map(str, runs.entries[0].first.chips.index)))
    else:
        named = _by_name([runs] if isinstance(runs, Run) else list(runs))
        split = next(iter(named.values())).split
        answers = {name: Answers(run, split.dataset) for name, run in named.items()}
        scored = [*split.test, *split.held_out]
    data = next(iter(answers.values())).dataset
    found = read_chip_map(data, answers, chip, around=around,
                          among=scored if among is None else list(among), seed=seed)
    return found.isel(run=0) if isinstance(runs, Run) else found


def answering(comparison: Comparison, seed: int | None = None) -> dict[str, Answers | Relay]:
    """Return what answers for each line of a comparison that has runs, on the first one's data.

    Args:
        comparison: What is compared.
        seed: The seed that answers where a line has several; by default the first one.

    Raises:
        RunError: All lines are scores that came without their runs.
        UnknownNameError: No line has that seed.
    """
    seeds = [str(scores.seed) for entry in comparison.entries for scores in entry.seeds]
    if seed is not None and str(seed) not in seeds:
        raise unknown_name("seed", str(seed), dict.fromkeys(seeds), "comparison.entries")
    behind = {entry.name: found for entry in comparison.entries if (found := entry.behind(seed))}
    if not behind:
        raise RunError(
            "These scores came without their runs, so there are no pixels to show. Compare the "
            "runs themselves: wb.compare([wb.open_run('runs/…'), …])."
        )
    data = next(iter(behind.values()))[0].split.dataset
    return {name: Answers(runs[0], data) if len(runs) == 1 else Relay(runs, data)
            for name, runs in behind.items()}


def _by_name(runs: Sequence[Run]) -> dict[str, Run]:
    if not runs:
        raise RunError("There is nothing to look at: pass runs, such as wb.list_runs().")
    named = {run.name: run for run in runs}
    if len(named) < len(runs):
        raise RunError("Two of the runs have the same name, so a map could not tell them apart. "
                       "Rename the folder of one of them.")
    return named


def read_chip_map(data: Dataset, answers: Mapping[str, Answers | Relay], chip: str, *,
                  around: int | None = None, among: Sequence[str],
                  seed: int | None = None) -> xr.Dataset:
    """Return what `chip_map` does, from answers that are kept from chip to chip."""
    if around is None:
        around = int(max(data.info.chip_shape) <= _WIDE)
    for name, asked in answers.items():
        own = [entry.name for entry in asked.run.classes]
        if own != [entry.name for entry in data.classes]:
            raise RunError(f"{name!r} predicts the classes {', '.join(own)}, but {data.info.name} "
                           f"has {', '.join(entry.name for entry in data.classes)}.")
    tiles = _tiles(data, data.read(chip), neighbours(data, chip, around, among))
    ids = [tile.sample.chip_id for tile in tiles]
    said = {name: asked.of(ids) for name, asked in answers.items()}
    found = _joined(data, tiles, said)
    return found if seed is None else found.assign_attrs(seed=seed)


def neighbours(data: Dataset, chip: str, around: int, among: Sequence[str]) -> list[str]:
    """Return the chips near a chip, the nearest first, of its CRS and date; reads no pixels."""
    own = data.chips.loc[chip]
    if own.geometry is None or not around:
        return []
    others = data.chips.loc[[name for name in among if name != chip and name in data.chips.index]]
    dates = data.chips["date"].fillna("")
    alike = others[(others["crs"] == own["crs"]) & (dates.loc[others.index] == dates[chip])]
    west, south, east, north = own.geometry.bounds
    # Half a chip less than what is shown: what only touches it lies outside.
    reach = (around - 0.5) * (east - west), (around - 0.5) * (north - south)
    window = shapely.box(west - reach[0], south - reach[1], east + reach[0], north + reach[1])
    near = alike[alike.geometry.notna() & alike.geometry.intersects(window)]
    middles = shapely.centroid(near.geometry.to_numpy())
    order = shapely.distance(middles, own.geometry.centroid).argsort()
    return [str(name) for name in near.index[order]]


class _Tile(NamedTuple):
    """A chip and its upper left corner on the grid of the chip in the middle."""

    sample: Sample
    row: int
    column: int


def _tiles(data: Dataset, centre: Sample, names: Sequence[str]) -> list[_Tile]:
    """Return the chips that lie on the grid of the centre and do not cover each other."""
    height, width = centre.mask.shape
    tiles = [_Tile(centre, 0, 0)]
    for name in names:
        sample = data.read(name)
        column, row = ~centre.transform @ (sample.transform.c, sample.transform.f)
        corner = round(row), round(column)
        moved = max(abs(row - corner[0]), abs(column - corner[1]))
        same = np.allclose(sample.transform[:2] + sample.transform[3:5],
                           centre.transform[:2] + centre.transform[3:5], rtol=1e-6)
        apart = all(abs(tile.row - corner[0]) >= height or abs(tile.column - corner[1]) >= width
                    for tile in tiles)
        if same and apart and moved < _SAME_PIXELS:
            tiles.append(_Tile(sample, *corner))
    return tiles


def _joined(data: Dataset, tiles: Sequence[_Tile],
            said: Mapping[str, Mapping[str, Answer]]) -> xr.Dataset:
    height, width = tiles[0].sample.mask.shape
    top, left = min(tile.row for tile in tiles), min(tile.column for tile in tiles)
    shape = (max(tile.row for tile in tiles) - top + height,
             max(tile.column for tile in tiles) - left + width)
    runs, count = len(said), data.num_classes
    image = np.full((len(data.bands), *shape), np.nan, np.float32)
    label, classes = (np.full((*axes, *shape), NODATA, np.uint8) for axes in ((), (runs,)))
    probabilities = np.full((runs, count, *shape), np.nan, np.float32)
    places = np.full(shape, -1, np.int16)
    for number, (sample, row, column) in enumerate(tiles):
        there = (slice(row - top, row - top + height), slice(column - left, column - left + width))
        image[:, *there] = sample.picture
        label[there] = np.where(sample.mask >= 0, sample.mask, NODATA)
        places[there] = number
        for place, answers in enumerate(said.values()):
            answer = answers[sample.chip_id]
            classes[place, *there] = np.where(sample.valid, answer.classes, NODATA)
            probabilities[place, :, *there] = np.where(sample.valid, answer.probabilities, np.nan)
    arrays = {"class": classes, "probability": _of_class(classes, probabilities)}
    grid, placed = _grid(data, tiles[0].sample, shape, top, left)
    facts = {"source": data.info.name, "simulated": int(data.info.simulated),
             "chips": [tile.sample.chip_id for tile in tiles],
             "region": tiles[0].sample.region, "georeferenced": int(placed)}
    found = dataset(arrays, grid, data.classes, list(said), facts)
    return found.assign(
        image=(("band", "y", "x"), image), label=(("y", "x"), label, found["class"].attrs),
        probabilities=(("run", "category", "y", "x"), probabilities),
        chip=(("y", "x"), places),
    ).assign_coords(band=list(data.bands), category=[entry.name for entry in data.classes])


def _of_class(classes: npt.NDArray, probabilities: npt.NDArray) -> npt.NDArray:
    """Return the probability ``(run, y, x)`` of the class that is predicted."""
    chosen = np.minimum(classes, probabilities.shape[1] - 1)
    return np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0]


def _grid(data: Dataset, centre: Sample, shape: tuple[int, int], top: int,
          left: int) -> tuple:
    if centre.crs is None:
        side = data.info.gsd_m or 10.0
        return raster_grid(*shape, NOWHERE, Affine(side, 0, 0, 0, -side, 0)), False
    transform = centre.transform @ Affine.translation(left, top)
    return raster_grid(*shape, CRS.from_user_input(centre.crs), transform), True
