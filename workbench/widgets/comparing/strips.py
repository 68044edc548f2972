"""The two strips: chips on which a run does worst, chips on which runs differ most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import ipywidgets as widgets
import pandas as pd

from workbench.data.split import display_name
from workbench.evaluation.atlas import Atlas
from workbench.plots.measures import Measure
from workbench.widgets.comparing.strip import Strip, thumbnail

_LONGEST = 14


class Strips:
    """Keeps both strips at what is measured, and brings their pictures one by one.

    Args:
        atlas: Where the chips come from.
        chosen: Called with the id of a chip that is clicked.
    """

    def __init__(self, atlas: Atlas, chosen: Callable[[str], object]) -> None:
        self._atlas = atlas
        self.worst, self.disputed = Strip(chosen), Strip(chosen)
        many = len(atlas.comparison.runs) > 1
        self.box = widgets.VBox([self.worst, *([self.disputed] if many else [])],
                                layout={"flex": "1 1 420px", "min_width": "0"})

    def show(self, measure: Measure, region: str | None, chip: str) -> None:
        """Show the chips of a measure, of one region or of all."""
        where = "" if region is None else f" in {display_name(region)}"
        worst = self._atlas.worst(measure.run, measure.other, region=region)
        title = f"Worst chips of {measure.run}{where}" if measure.other is None \
            else f"Where {measure.run} loses most to {measure.other}{where}"
        unit = "% wrong" if measure.other is None else "points"
        self.worst.show(title, "None of the chips has a label.", self._cards(worst, unit))
        disputed = self._atlas.disputed(region=region)
        self.disputed.show(f"Most disagreement between runs{where}",
                           "The runs agree as far as their counts tell.",
                           self._cards(disputed[disputed > 0], "% differ", "≥ "))
        for strip in (self.worst, self.disputed):
            strip.current = chip

    def missing(self, measure: Measure, seed: int | None) -> Iterator[Callable[[], None]]:
        """Yield what brings each picture that is not there yet."""
        run = measure.run if measure.run in self._atlas.runs else None
        for strip in (self.worst, self.disputed):
            for card in strip.cards:
                if card["id"] not in strip.pictures:
                    yield partial(self._bring, strip, card["id"], run, seed)

    def forget(self) -> None:
        """Take the pictures away: the run whose errors they show is another one."""
        for strip in (self.worst, self.disputed):
            strip.pictures = {}

    def _bring(self, strip: Strip, chip: str, run: str | None, seed: int | None) -> None:
        if any(card["id"] == chip for card in strip.cards):
            strip.add({chip: thumbnail(self._atlas.ground(chip, seed), run)})

    def _cards(self, values: pd.Series, unit: str, least: str = "") -> list[dict[str, str]]:
        regions = self._atlas.chips["region"].to_dict()
        return [{"id": str(chip), "name": display_name(str(regions[chip])),
                 "value": f"{least}{100 * value:.0f} {unit}"}
                for chip, value in values.iloc[:_LONGEST].items()]
