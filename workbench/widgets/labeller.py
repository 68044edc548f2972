"""label: points and polygons on a map, a linear head trained on them in seconds, its map below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import xarray as xr
from IPython.display import DisplayHandle, display
from PIL import Image

from workbench.data.info import Classes
from workbench.data.labels import Labels
from workbench.errors import WorkbenchError
from workbench.labelling import RECIPE, open_labels
from workbench.models.segmenter import Segmenter
from workbench.plots import plot
from workbench.recipe import Recipe
from workbench.widgets.configure import code
from workbench.widgets.fields import problem_html
from workbench.widgets.label_map import TOOLS, LabelMap
from workbench.widgets.label_rounds import Round, Rounds
from workbench.widgets.looks import STYLE
from workbench.widgets.overlays import PIXELATED

_HINTS = {
    "point": "Click on the map: each click is a label of the class that is chosen.",
    "polygon": "Click corner after corner; click the first one again to close.",
    "box": "Click two opposite corners.",
    "select": "Click a label; then give it another class, or delete it.",
}
_LOOK = """<style>
.wb-label .wb-class button { text-align: left; }
.wb-label .wb-swatch { width: 14px; height: 14px; border-radius: 3px; display: inline-block;
  border: 1px solid #0005; vertical-align: -2px; }
.wb-label .widget-html { margin: 0; height: auto; }
.wb-form.wb-label .widget-inline-hbox { flex-direction: row; align-items: center; }
.wb-label .wb-hint { font-size: 12px; line-height: 1.35; opacity: .75; }
/* The still picture follows as an output of its own; beside a living map it hides. */
.jp-OutputArea-child:has(.wb-label) + .jp-OutputArea-child:has(img) { display: none; }
</style>"""


def label(source: Any, classes: Classes | None = None, *, chip: str | None = None,
          path: str | Path | None = None, bands: Sequence[str | None] | None = None,
          scale: float | None = None, recipe: Recipe = RECIPE) -> Labeller:
    """Open a scene or chip on a map to draw labels on; train on them and see the map at once.

    Labels are saved with every change, and the same call goes on from them: after a kernel
    restart, or when the cell is run again.

    Args:
        source: The path of a GeoTIFF, an array with a CRS, a dataset with `chip`, or `wb.Labels`.
        classes: Names, or (name, colour) pairs; of labels that are there already by default theirs.
        chip: Which chip of a dataset.
        path: The GeoPackage; by default beside the GeoTIFF, else in the folder `labels`.
        bands: Names of all bands in file order, where the source does not say them.
        scale: Stored value * scale is the physical unit, where the source does not say it.
        recipe: Whose frozen backbone; see `wb.fit_labels`.

    Returns:
        A panel that shows itself; `.value` is the `wb.Labels`, `.model` what `wb.predict` takes.

    Raises:
        DataError: The source cannot be labelled.
        GridError: It does not say where its pixels are.
        LabelError: There are no classes.
    """
    return Labeller(open_labels(source, classes, chip=chip, path=path, bands=bands, scale=scale),
                    recipe)


class Labeller:
    """A map to label on; see `label`.

    Attributes:
        value: The labels.
        model: The model of the newest round, None before the first.
        prediction: Its map, as `wb.predict` returns it.
        box: The widget, to be put beside others.
    """

    def __init__(self, labels: Labels, recipe: Recipe = RECIPE) -> None:
        self.value = labels
        self.model: Segmenter | None = None
        self.prediction: xr.Dataset | None = None
        self._recipe = recipe
        self._selected: int | None = None
        self._active = labels.classes[0].name
        self._static: DisplayHandle | None = None
        self._map = LabelMap(labels, self._on_drawn, self._on_chosen)
        self._rounds = Rounds(labels, recipe, told=self._tell, done=self._on_round,
                              failed=self._fail)
        self.box = self._layout()
        self._refresh()
        self._map.use("point")

    def train(self) -> None:
        """Ask for a round with the labels as they are; it runs in the background."""
        self._tell("waiting…", 0.0)
        self._rounds.ask(self._map.view() if self._map.chart.bounds else (0, 0, 1, 1))

    def wait(self) -> None:
        """Return when every round asked for is done."""
        self._rounds.wait()

    def show(self) -> None:
        """Show the map; under it, as an output of its own that a stored notebook keeps, a picture.

        The map itself lives only as long as its kernel.
        """
        display(self.box)
        self._static = DisplayHandle()
        self._static.display(self._bundle(), raw=True)

    def __repr__(self) -> str:
        return repr(self.value)

    def _ipython_display_(self) -> None:
        self.show()

    def _bundle(self) -> dict[str, Any]:
        prediction = self.prediction
        raster = self.value.imagery.raster
        if prediction is not None and prediction["class"].shape != (raster.height, raster.width):
            prediction = None  # a part does not lie beside the whole
        drawn = Image.open(io.BytesIO(plot(self.value, prediction=prediction).png(dpi=64)))
        stored = io.BytesIO()
        # With a palette it is a third as long: it is sent with each round and stored in notebooks.
        drawn.convert("RGB").quantize(256).save(stored, "png")
        return {"text/plain": repr(self), "image/png": stored.getvalue()}

    def _on_drawn(self, geometry: dict[str, Any]) -> None:
        self._do(lambda: self.value.add(self._active, geometry))

    def _on_chosen(self, number: int) -> None:
        self._selected = number
        self._refresh()

    def _on_class(self, name: str) -> None:
        self._active = name
        if self._selected is None:
            self._refresh()
        else:
            number, self._selected = self._selected, None
            self._do(lambda: self.value.change(number, name))

    def _on_delete(self, _: Any) -> None:
        if self._selected is not None:
            number, self._selected = self._selected, None
            self._do(lambda: self.value.remove(number))

    def _do(self, change: Any) -> None:
        """Change the labels, show them, and train again where that is wished."""
        try:
            change()
        except WorkbenchError as error:
            self._fail(str(error))
            return
        self._message.value = ""
        self._refresh()
        if self._live.value and self.model is not None:
            self.train()

    def _refresh(self) -> None:
        if self._selected not in self.value.table.index:
            self._selected = None
        self._map.show_labels(self._selected)
        counts = self.value.counts()
        for entry, (button, number) in self._classes.items():
            button.button_style = "primary" if entry == self._active else ""
            labels, pixels = counts[entry]
            number.value = f'<span class="wb-hint">{labels} · {pixels} px</span>'
        self._undo.disabled = not self.value.can_undo
        self._redo.disabled = not self.value.can_redo
        self._delete.disabled = self._selected is None
        self._about.value = f'<div class="wb-hint">{escape(_HINTS[self._tool.value])}</div>'

    def _tell(self, what: str, share: float) -> None:
        self._message.value = f'<div class="wb-hint">{escape(what)}</div>'
        self._bar.value, self._bar.layout.visibility = share, "visible"

    def _fail(self, message: str) -> None:
        self._message.value = problem_html(message)
        self._bar.layout.visibility = "hidden"

    def _on_round(self, done: Round) -> None:
        self.model, self.prediction = done.model, done.prediction
        self._map.show_prediction(done.prediction)
        self._bar.layout.visibility = "hidden"
        self._message.value = (f'<div class="wb-hint">map of {len(self.value)} labels in '
                               f"{done.seconds:.1f} s</div>")
        if self._static is not None:
            self._static.update(self._bundle(), raw=True)

    def _code(self) -> str:
        names = [(entry.name, entry.color) for entry in self.value.classes]
        recipe = "" if self._recipe == RECIPE else f", {code(self._recipe)}"
        imagery = self.value.imagery
        said = "" if all(imagery.raster.descriptions) else f", bands={list(imagery.stored_bands)}"
        said += f", scale={imagery.scale:g}" if imagery.scale != 1 else ""
        return (f"labels = wb.Labels({str(imagery.path)!r}, {names},\n"
                f"                   path={str(self.value.path)!r}{said})\n"
                f"model = wb.fit_labels(labels{recipe})\n"
                f"wb.predict(model, {str(imagery.path)!r})")

    def _layout(self) -> widgets.Widget:
        self._tool = widgets.ToggleButtons(
            options=list(TOOLS), style={"button_width": "73px"}, tooltips=list(_HINTS.values()))
        self._tool.observe(self._on_tool, "value")
        self._about, self._message = widgets.HTML(), widgets.HTML()
        self._classes = {entry.name: self._class_row(entry.name) for entry in self.value.classes}
        rows = [widgets.HBox([_swatch(entry.color), *self._classes[entry.name]],
                             layout={"align_items": "center"}) for entry in self.value.classes]
        self._undo, self._redo, self._delete = (
            _button(text, icon, act) for text, icon, act in (
                ("Undo", "undo", lambda _: self._do(self.value.undo)),
                ("Redo", "repeat", lambda _: self._do(self.value.redo)),
                ("Delete", "trash", self._on_delete)))
        train = _button("Train and map", "play", lambda _: self.train(), "150px")
        train.button_style = "success"
        self._live = widgets.Checkbox(value=False, indent=False, description="after every label",
                                      layout={"width": "150px"})
        self._bar = widgets.FloatProgress(min=0, max=1, layout={"width": "96%", "height": "10px",
                                                                "visibility": "hidden"})
        panel = widgets.VBox(
            [_heading("Tool"), self._tool, self._about, _heading("Class"), *rows,
             widgets.HBox([self._undo, self._redo, self._delete]), _heading("Map"),
             widgets.HBox([train, self._live]), self._bar, self._message, *self._views()],
            layout={"flex": "0 0 340px", "max_width": "100%"})
        chart = widgets.VBox([self._map.chart], layout={"flex": "1 1 420px", "min_width": "0"})
        body = widgets.HBox([chart, panel], layout={"flex_flow": "row wrap", "width": "100%"})
        for name in ("wb-form", "wb-label"):
            body.add_class(name)
        return widgets.VBox([widgets.HTML(STYLE + _LOOK + PIXELATED), body])

    def _views(self) -> list[widgets.Widget]:
        image = widgets.ToggleButtons(options=self._map.image_names,
                                      style={"button_width": "110px"})
        image.observe(lambda change: self._map.show_image(change["new"]), "value")
        opacity = widgets.FloatSlider(value=self._map.opacity, min=0, max=1, step=0.05,
                                      description="map", readout=False)
        opacity.observe(lambda change: setattr(self._map, "opacity", change["new"]), "value")
        doubt = widgets.Checkbox(value=False, indent=False, description="where it is least sure")
        doubt.observe(lambda change: self._map.show_doubt(change["new"]), "value")
        shown = widgets.ToggleButton(description="Code", icon="code", layout={"width": "90px"})
        lines = widgets.HTML(f'<pre class="wb-code">{escape(self._code())}</pre>',
                             layout={"display": "none"})
        shown.observe(lambda change: setattr(lines.layout, "display",
                                             "" if change["new"] else "none"), "value")
        return [_heading("View"), image, opacity, doubt, shown, lines]

    def _class_row(self, name: str) -> tuple[widgets.Button, widgets.HTML]:
        button = _button(name, "", lambda _: self._on_class(name), "170px")
        button.add_class("wb-class")
        return button, widgets.HTML()

    def _on_tool(self, change: Any) -> None:
        if change["new"] != "select":
            self._selected = None
        self._map.use(change["new"])
        self._refresh()


def _button(text: str, icon: str, act: Any, width: str = "96px") -> widgets.Button:
    button = widgets.Button(description=text, icon=icon, layout={"width": width})
    button.on_click(act)
    return button


def _swatch(colour: str) -> widgets.HTML:
    return widgets.HTML(f'<span class="wb-swatch" style="background:{escape(colour)}"></span>')


def _heading(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div class="wb-heading">{escape(text)}</div>')
