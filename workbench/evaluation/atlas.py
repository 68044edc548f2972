"""Atlas: the scored chips of a comparison, where they lie, and what each run makes of them."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from workbench.data import Dataset
from workbench.errors import SplitError
from workbench.evaluation.answers import Answers
from workbench.evaluation.chipmap import read_chip_map, shown_runs
from workbench.evaluation.comparison import Comparison, compare
from workbench.evaluation.scores import Scores
from workbench.metrics import Counts
from workbench.runs import Run

# Memory for the grounds of chips: what was looked at last comes back at once.
_MOST_BYTES = 400 * 1000**2


class Atlas:
    """The chips of a comparison with their places, scores and pixels.

    Where a line of the comparison has several seeds, the run of the first one answers.

    Args:
        comparison: Runs, or their comparison. What came as scores alone has no pixels to show.

    Attributes:
        comparison: What is compared.
        data: The dataset whose chips were scored.
        answers: What each run says of chips, by its name in the comparison.
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
        runs = shown_runs(comparison)
        self.data: Dataset = next(iter(runs.values())).split.dataset
        scored = comparison.entries[0].first.chips
        if missing := [str(chip) for chip in scored.index if chip not in self.data]:
            raise SplitError(
                f"{len(missing)} of the scored chips, such as {missing[0]}, are not in "
                f"{self.data.info.name}, which the first run was trained on."
            )
        self.answers = {name: Answers(run, self.data) for name, run in runs.items()}
        self.chips = self._table(scored)
        self._grounds: OrderedDict[str, xr.Dataset] = OrderedDict()

    @property
    def runs(self) -> list[str]:
        """Names of the runs that have pixels to show."""
        return list(self.answers)

    @property
    def regions(self) -> list[str]:
        """Names of the regions, those of the held-out part first."""
        parts = self.chips.groupby("region")["part"].first()
        return sorted(parts.index, key=lambda name: (parts[name] != "held_out", name))

    def ground(self, chip: str) -> xr.Dataset:
        """Return the ground around a chip, as `wb.chip_map` does."""
        if chip not in self._grounds:
            self._grounds[chip] = read_chip_map(self.data, self.answers, chip,
                                                among=list(self.chips.index))
            while len(self._grounds) > 1 and self._nbytes() > _MOST_BYTES:
                self._grounds.popitem(last=False)
        self._grounds.move_to_end(chip)
        return self._grounds[chip]

    def knows(self, chip: str) -> bool:
        """Return whether all that runs say of a chip is known already."""
        return all(answers.knows(chip) for answers in self.answers.values())

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
        counts = [entry.first.counts for entry in self.comparison.entries]
        pairs = [least_difference(one, other) for one, other in itertools.combinations(counts, 2)]
        most = np.max(pairs, axis=0) if pairs else np.full(len(self.chips), np.nan)
        found = pd.Series(most, self.chips.index)[self._of(region).index]
        return found.dropna().sort_values(ascending=False, kind="stable")

    def _nbytes(self) -> int:
        return sum(ground.nbytes for ground in self._grounds.values())

    def _of(self, region: str | None) -> pd.DataFrame:
        return self.chips if region is None else self.chips[self.chips["region"] == region]

    def _table(self, scored: pd.DataFrame) -> pd.DataFrame:
        places = [self.data.lonlat(str(chip)) or (np.nan, np.nan) for chip in scored.index]
        right = self.comparison.chips("accuracy").loc[scored.index]
        wrong = {f"wrong {name}": 1 - right[name] for name in self.comparison.runs}
        lon, lat = np.array(places, float).reshape(-1, 2).T
        return scored.assign(lon=lon, lat=lat, **wrong)


def least_difference(one: Counts, other: Counts) -> npt.NDArray[np.float64]:
    """Return the least share of labelled pixels ``(chip,)`` that two predictions differ on."""
    total = one.sum(axis=(-2, -1))
    # Of the pixels of one true class, what one run has too many of a class the other has too few.
    moved = np.abs(one - other).sum(axis=(-2, -1)) / 2
    return np.where(total > 0, moved / np.maximum(total, 1), np.nan)
