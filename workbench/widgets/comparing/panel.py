"""The comparison map: regions, two linked maps of one place, strips of chips, a pixel's facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets
import xarray as xr

from workbench.data.split import display_name
from workbench.errors import UnknownNameError
from workbench.evaluation import Comparison, Scores
from workbench.evaluation.atlas import Atlas
from workbench.evaluation.tables import PARTS
from workbench.plots import plot
from workbench.plots.chip_map import IMAGE
from workbench.runs import Run
from workbench.widgets.comparing.base import MapPanel
from workbench.widgets.comparing.controls import Controls
from workbench.widgets.comparing.overview import Overview
from workbench.widgets.comparing.painting import (
    Painter,
    all_corners,
    around,
    chip_corners,
    corners,
)
from workbench.widgets.comparing.pair import SIDES, Pair
from workbench.widgets.comparing.pixel import find_pixel, pixel_html
from workbench.widgets.comparing.strips import Strips
from workbench.widgets.comparing.view import View, checked, code, first_view, worst_chip
from workbench.widgets.comparing.worker import Job, Worker
from workbench.widgets.overlays import NOTHING, PIXELATED
from workbench.widgets.resizing import Resizing
from workbench.widgets.telling import telling

STYLE = (Path(__file__).parents[1] / "browser" / "compare.css").read_text("utf-8")
_HINT = '<div class="wb-said">Click a pixel: its bands, its label, and what each run says.</div>'
_KEPT: dict[str, View] = {}


def compare_map(comparison: Comparison | Iterable[Run | Scores], *, chip: str | None = None,
                region: str | None = None, left: str | None = None, right: str | None = None,
                runs: Iterable[str] | str | None = None, swipe: bool = False,
                seed: int | None = None, key: str | None = None) -> CompareMap:
    """Show where runs hold up: on a map of regions, then chip by chip and pixel by pixel.

    Click a region to fly there, a chip or a small picture to see it on the two linked maps, a
    pixel to read its bands, its label and each run's probabilities. What runs predict is computed
    in the background and kept in their folders.

    Args:
        comparison: What `wb.compare` returned, or runs.
        chip: The chip to begin with; by default the one on which the first run does worst.
        region: The region to begin with; by default all are shown.
        left: Name of the layer on the left, such as `label` or `errors of lora`.
        right: Name of the layer on the right.
        runs: Name of the run whose scores colour the regions, or two for their difference.
        swipe: Show both layers in one map with a handle between them.
        seed: Where a line of the comparison has several seeds, the one whose run is shown on the
            maps; by default the first. Scores and the order of chips are those of all seeds.
        key: A name under which the kernel keeps the view: the same cell run again goes on from
            it. Without one every run of the cell starts fresh.

    Returns:
        A panel that shows itself; `.value` says which runs, region, chip and layers are shown.

    Raises:
        RunError: There are no runs, or scores came without them.
        SplitError: The runs were scored on other chips or classes.
        UnknownNameError: There is no such run, region, chip, layer or seed; names the nearest.
    """
    atlas = Atlas(comparison)
    chosen = (runs,) if isinstance(runs, str) else tuple(runs) if runs is not None else None
    given: dict[str, Any] = {"region": region, "left": left, "right": right, "runs": chosen,
                             "swipe": swipe or None, "seed": seed}
    view = _kept(atlas, key) or first_view(atlas)
    view = dataclasses.replace(view, **{name: value for name, value in given.items()
                                        if value is not None})
    view = checked(atlas, view)
    if chip is not None:
        view = checked(atlas, dataclasses.replace(view, chip=chip))
    elif region is not None or chosen is not None:
        view = dataclasses.replace(view, chip=worst_chip(atlas, view.runs, view.region))
    return CompareMap(atlas, view, key=key)


def _kept(atlas: Atlas, key: str | None) -> View | None:
    """Return the view that is kept under a name, unless other runs or data are shown now."""
    try:
        return checked(atlas, _KEPT[key]) if key in _KEPT else None
    except UnknownNameError:
        return None


class CompareMap(MapPanel):
    """A comparison on maps; see `compare_map`.

    Attributes:
        value: What is shown; setting it shows something else.
        box: The widget, to be put beside others.
    """

    value = traitlets.Instance(View)

    def __init__(self, atlas: Atlas, view: View, *, key: str | None = None) -> None:
        super().__init__(Worker(lambda text: self._controls.status.fail(text)))
        self._atlas, self._key = atlas, key
        self._ground: xr.Dataset | None = None
        self._painter = Painter(atlas)
        self._code, self._pixel = widgets.HTML(), widgets.HTML(_HINT)
        self._legends = [widgets.HTML(layout={"flex": "1 1 0", "min_width": "0"}) for _ in SIDES]
        self._overview = Overview(atlas, self._chose_region, self._chose_chip)
        self._pair = Pair((0, 0, 1, 1), self._chose_pixel)
        self._strips = Strips(atlas, self._chose_chip)
        self._controls = Controls(atlas, self._change, self._pair.opacity, self._code)
        self.box = self._layout()
        self.value = view
        self._worker.plan(self._ahead())

    @property
    def code(self) -> str:
        """The line that shows the same view."""
        return code(self._atlas, self.value)

    def __repr__(self) -> str:
        view = self.value
        where = "all regions" if view.region is None else display_name(view.region)
        return (f"{view.measure} in {where} · {' · '.join(self._words())} · left: {view.left} · "
                f"right: {view.right}")

    def _change(self, **fields: Any) -> None:
        if "region" in fields or "runs" in fields:
            view = dataclasses.replace(self.value, **fields)
            fields["chip"] = worst_chip(self._atlas, view.runs, view.region)
        self.value = dataclasses.replace(self.value, **fields)

    def _chose_region(self, region: str) -> None:
        self._change(region=region)

    def _chose_chip(self, chip: str) -> None:
        fields: dict[str, Any] = {"chip": chip}
        if self.value.region is not None:
            fields["region"] = str(self._atlas.chips.loc[chip, "region"])
        self.value = dataclasses.replace(self.value, **fields)

    def _chose_pixel(self, lat: float, lon: float) -> None:
        ground = self._ground
        place = None if ground is None else find_pixel(ground, lat, lon)
        if ground is None or place is None:
            self._pixel.value = _HINT
            self._pair.mark([])
            return
        row, column = place
        self._pair.mark(corners(ground, (row, row + 1), (column, column + 1)))
        self._pixel.value = pixel_html(ground, row, column, lat, lon)

    @traitlets.validate("value")
    def _check(self, proposal: Any) -> View:
        return checked(self._atlas, proposal["value"])

    @traitlets.observe("value")
    def _on_value(self, change: Any) -> None:
        view, old = change["new"], change["old"]
        before = old if isinstance(old, View) else None
        self._controls.status.forget()
        self._controls.show(view)
        self._controls.head(self._words())
        if before is None or before.swipe != view.swipe:
            self._pair.swipe(view.swipe)
        moved = before is None or before.region != view.region
        self._overview.show(view.measure, view.region, view.chip, fly=moved)
        if before is not None and (before.runs, before.seed) != (view.runs, view.seed):
            self._strips.forget()
        self._strips.show(view.measure, view.region, view.chip)
        self._code.value = f'<pre class="wb-code">{escape(code(self._atlas, view))}</pre>'
        if self._key:
            _KEPT[self._key] = view
        if before is None or (before.chip, before.seed) != (view.chip, view.seed):
            self._pixel.value = _HINT
            self._pair.mark([])
            with telling(self._controls.status.fail):  # a seed may have lost its checkpoint
                if not self._atlas.knows(view.chip, view.seed):
                    self._controls.status.say("predicting…")
        self._worker.ask("view", lambda: self._paint(view))
        self._worker.plan(self._ahead())
        if self._still:
            self._worker.ask("still", self._draw_still)

    def _paint(self, view: View) -> None:
        """Show the layers of a view; done in the worker's thread."""
        if view != self.value:
            return
        try:
            ground = self._atlas.ground(view.chip, view.seed)
            painted = [self._painter.side(view.chip, name, view.seed)
                       for name in (view.left, view.right)]
        except BaseException:  # whatever it is: no picture of another chip stays
            self._ground = None
            for side in SIDES:
                self._pair.paint(side, NOTHING, None)
            raise
        if self._ground is not ground:
            moved = self._ground is None or self._ground.attrs["chips"] != ground.attrs["chips"]
            self._ground = ground
            if moved:
                self._pair.frame(chip_corners(ground))
                self._pair.fit(around(all_corners(ground)))
        for side, words, (image, classes, legend) in zip(SIDES, self._legends, painted,
                                                         strict=True):
            self._pair.paint(side, image, classes)
            words.value = legend
        self._controls.status.say("")

    def _ahead(self) -> Iterator[Job]:
        """Yield what may be wanted next: small pictures, and the first chip of each region."""
        view = self.value
        yield from self._strips.missing(view.measure, view.seed)
        regions = self._atlas.regions
        for number, region in enumerate(regions):
            chip = worst_chip(self._atlas, view.runs, region)
            if not self._atlas.knows(chip, view.seed):
                yield partial(self._controls.status.say,
                              f"preparing: {number} of {len(regions)} regions")
                yield partial(self._atlas.ground, chip, view.seed)
        yield partial(self._controls.status.say, "")

    def _draw_still(self) -> None:
        view, still = self.value, self._still
        if still is not None:
            shown = list(dict.fromkeys([IMAGE, view.left, view.right]))
            figure = plot(self._atlas.ground(view.chip, view.seed), "chip_map", show=shown)
            still.update({"text/plain": repr(self), "image/png": figure.png(dpi=96)}, raw=True)

    def _words(self) -> list[str]:
        row = self._atlas.chips.loc[self.value.chip]
        date = row["date"] if isinstance(row["date"], str) else ""
        words = [self.value.chip, display_name(str(row["region"])), date, PARTS[str(row["part"])],
                 "simulated" if self._atlas.data.info.simulated else ""]
        return [word for word in words if word]

    def _layout(self) -> widgets.Widget:
        legends = widgets.HBox(self._legends, layout={"width": "100%"})
        maps = widgets.VBox([self._controls.sides, self._pair.box, legends],
                            layout={"flex": "1 1 520px", "min_width": "0"})
        upper = widgets.HBox([self._overview.box, maps], layout={"flex_flow": "row wrap",
                                                                 "width": "100%"})
        pixel = widgets.VBox([self._pixel], layout={"flex": "0 1 470px", "min_width": "0"})
        lower = widgets.HBox([self._strips.box, pixel], layout={"flex_flow": "row wrap",
                                                                "width": "100%"})
        body = widgets.VBox([self._controls.top, self._code, upper, lower, Resizing()])
        body.add_class("wb-compare")
        style = widgets.HTML(f"<style>{STYLE}</style>{PIXELATED}", layout={"display": "none"})
        return widgets.VBox([style, body])
