"""Atlas: the scored chips of a comparison, where they lie, and what each run makes of them."""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import xarray as xr

from workbench.data import Dataset
from workbench.data.outlining import region_outlines, unwrapped
from workbench.errors import SplitError
from workbench.evaluation.answers import Answers, Relay
from workbench.evaluation.chipmap import answering, read_chip_map
from workbench.evaluation.comparison import Comparison, compare
from workbench.evaluation.scores import Scores
from workbench.evaluation.tables import PARTS
from workbench.metrics import Counts
from workbench.runs import Run

# Memory for the grounds of chips: what was looked at last comes back at once.
_MOST_BYTES = 400 * 1000**2


class Atlas:
    """The chips of a comparison with their places, scores and pixels.

    Of a chip that was scored in its region's test part and, on another split, held out, the held
    out score counts, and the run answers that held it out.

    Args:
        comparison: Runs, or their comparison. What came as scores alone has no pixels to show.

    Attributes:
        comparison: What is compared.
        data: The dataset whose chips were scored.
        answers: What each run says of chips, by its name in the comparison; that of the first
            seed where there are several.
        seeds: The seeds to choose from where a line has several, else none.
        chips: One row a scored chip: `part`, `region`, `cluster`, `date`, `lon` and `lat` of its
            centre (NaN without a position), and `wrong <run>`, the share of labelled pixels that
            the run gets wrong (its seeds on average).

    Raises:
        RunError: No run is among what is compared.
        SplitError: The chips are not those of the runs' dataset.
    """

    def __init__(self, comparison: Comparison | Iterable[Run | Scores]) -> None:
        if not isinstance(comparison, Comparison):
            comparison = compare(comparison)
        self.comparison = comparison
        self.answers = answering(comparison)
        self.data: Dataset = next(iter(self.answers.values())).dataset
        scored = comparison.entries[0].first.chips
        self._rows = _once(scored)
        scored = scored.iloc[self._rows]
        if missing := [str(chip) for chip in scored.index if chip not in self.data]:
            raise SplitError(
                f"{len(missing)} of the scored chips, such as {missing[0]}, are not in "
                f"{self.data.info.name}, which the first run was trained on."
            )
        several = [entry for entry in comparison.entries if len(entry.seeds) > 1]
        self.seeds = sorted({scores.seed for entry in several for scores in entry.seeds})
        self._by_seed: dict[int | None, dict[str, Answers | Relay]] = {None: self.answers}
        self.chips = self._table(scored)
        self._grounds: OrderedDict[tuple[str, int | None], xr.Dataset] = OrderedDict()

    @property
    def runs(self) -> list[str]:
        """Names of the runs that have pixels to show."""
        return list(self.answers)

    @property
    def regions(self) -> list[str]:
        """Names of the regions, those of the held-out part first."""
        parts = self.chips.groupby("region")["part"].first()
        return sorted(parts.index, key=lambda name: (parts[name] != "held_out", name))

    @functools.cached_property
    def outlines(self) -> dict[str, shapely.Geometry]:
        """Outlines of the regions that have a place, in degrees; see `region_outlines`."""
        found = region_outlines(self.data)
        return {name: found[name] for name in self.regions if name in found}

    def footprint(self, chip: str) -> shapely.Geometry | None:
        """Return the outline of a chip where that of its region has it, None without a place."""
        shape = self.data.chips.geometry[chip]
        if shape is None:
            return None
        whole = unwrapped([shape])
        west, _, east, _ = self.outlines[str(self.data.chips.loc[chip, "region"])].bounds
        turns = round(((west + east) - (whole.bounds[0] + whole.bounds[2])) / 720)
        return shapely.transform(whole, lambda xy: xy + np.array([360.0 * turns, 0.0]))

    def ground(self, chip: str, seed: int | None = None) -> xr.Dataset:
        """Return the ground around a chip, as `wb.chip_map` does."""
        key = chip, seed
        if key not in self._grounds:
            self._grounds[key] = read_chip_map(self.data, self._of_seed(seed), chip, seed=seed,
                                               among=list(self.chips.index))
            while len(self._grounds) > 1 and self._nbytes() > _MOST_BYTES:
                self._grounds.popitem(last=False)
        self._grounds.move_to_end(key)
        return self._grounds[key]

    def knows(self, chip: str, seed: int | None = None) -> bool:
        """Return whether all that runs say of a chip is known already."""
        return all(answers.knows(chip) for answers in self._of_seed(seed).values())

    def worst(self, run: str, other: str | None = None, *, region: str | None = None) -> pd.Series:
        """Return the share of pixels that a run gets wrong, the worst chips first.

        Args:
            run: Name of the run.
            other: Return how much more than this run it gets wrong instead.
            region: Of this region only.
        """
        chips = self._of(region)
        wrong = chips[f"wrong {run}"] - (0 if other is None else chips[f"wrong {other}"])
        return wrong.dropna().sort_values(ascending=False, kind="stable")

    def disputed(self, *, region: str | None = None) -> pd.Series:
        """Return the share of pixels on which runs differ at least, the most disputed first.

        It follows from the confusion counts: where two runs predict a class for other numbers of
        pixels of one true class, at least so many pixels were predicted differently. No pixel is
        read, so that all chips can be looked through; of more than two runs it is the two that
        differ most.
        """
        counts = [entry.first.counts[self._rows] for entry in self.comparison.entries]
        pairs = [least_difference(one, other) for one, other in itertools.combinations(counts, 2)]
        most = np.max(pairs, axis=0) if pairs else np.full(len(self.chips), np.nan)
        found = pd.Series(most, self.chips.index)[self._of(region).index]
        return found.dropna().sort_values(ascending=False, kind="stable")

    def _of_seed(self, seed: int | None) -> dict[str, Answers | Relay]:
        if seed not in self._by_seed:
            self._by_seed[seed] = answering(self.comparison, seed)
        return self._by_seed[seed]

    def _nbytes(self) -> int:
        return sum(ground.nbytes for ground in self._grounds.values())

    def _of(self, region: str | None) -> pd.DataFrame:
        return self.chips if region is None else self.chips[self.chips["region"] == region]

    def _table(self, scored: pd.DataFrame) -> pd.DataFrame:
        places = [self.data.lonlat(str(chip)) or (np.nan, np.nan) for chip in scored.index]
        right = self.comparison.chips("accuracy").set_index("part", append=True).loc[
            list(zip(scored.index, scored["part"].map(PARTS), strict=True))]
        wrong = {f"wrong {name}": 1 - right[name].to_numpy() for name in self.comparison.runs}
        lon, lat = np.array(places, float).reshape(-1, 2).T
        return scored.assign(lon=lon, lat=lat, **wrong)


def _once(chips: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return the places of the rows that are left when each chip stands once, held out if ever."""
    order = np.argsort((chips["part"] != "held_out").to_numpy(), kind="stable")
    return np.sort(order[~chips.index[order].duplicated()])


def least_difference(one: Counts, other: Counts) -> npt.NDArray[np.float64]:
    """Return the least share of labelled pixels ``(chip,)`` that two predictions differ on."""
    total = one.sum(axis=(-2, -1))
    # Of the pixels of one true class, what one run has too many of a class the other has too few.
    moved = np.abs(one - other).sum(axis=(-2, -1)) / 2
    return np.where(total > 0, moved / np.maximum(total, 1), np.nan)
