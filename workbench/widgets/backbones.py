"""Choosing a backbone: by size, bands and licence, or by a part of its name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from workbench.assembly import backbones
from workbench.assembly.choices import count_parameters
from workbench.errors import WorkbenchError
from workbench.models.loading import find_facts
from workbench.reprs import readable_count
from workbench.widgets.fields import WIDE, Changed, problem_html

SIZES = (("any size", math.inf), ("up to 10 M", 1e7), ("up to 100 M", 1e8), ("up to 400 M", 4e8))
HALF = {"width": "48%"}
BOTH = {"justify_content": "space-between", "width": "100%"}


class BackboneField:
    """A list of backbones that filters narrow, and what is known of the chosen one.

    Args:
        changed: Called when another one is chosen.
        bands: Bands that the data have; without any, nothing is said of them.
    """

    def __init__(self, changed: Changed, bands: Sequence[str] = ()) -> None:
        self._rows = backbones()
        self._bands, self._changed, self._quiet = tuple(bands), changed, False
        licences = sorted({row["licence"] for row in self._rows.values()} - {"–"})
        names = sorted({band for row in self._rows.values() for band in row["bands"]})
        mine = [("the data's bands", self._bands)] if self._bands else []
        self.text = widgets.Text(description="find", placeholder="a name, or timm/…", layout=HALF)
        self.size = widgets.Dropdown(options=SIZES, description="size", layout=HALF)
        self.licence = widgets.Dropdown(options=[("any licence", ""), *zip(licences, licences,
                                        strict=True)], description="licence", layout=HALF)
        self.band = widgets.Dropdown(
            options=[("any bands", ()), *mine, *((f"with {name}", (name,)) for name in names)],
            description="bands", layout=HALF)
        self.control = widgets.Select(description="backbone", rows=6, layout=WIDE)
        self._facts, self._message = widgets.HTML(), widgets.HTML()
        self.box = widgets.VBox([
            widgets.HBox([self.text, self.size], layout=BOTH),
            widgets.HBox([self.band, self.licence], layout=BOTH),
            self.control, self._message, self._facts,
        ])
        self.box.add_class("wb-field")
        for control in (self.text, self.size, self.licence, self.band):
            control.observe(self._narrow, "value")
        self.control.observe(self._on_change, "value")
        self.write("workbench_tiny")

    def read(self) -> str:
        """Return the name that is chosen."""
        return self.control.value

    def write(self, value: str) -> None:
        """Choose a backbone without telling anybody, whatever the filters say."""
        self._offer(value)

    def say(self, message: str) -> None:
        """Show why the choice is refused."""
        self._message.value = problem_html(message)

    def _narrow(self, change: Any) -> None:
        self._offer(self.control.value)

    def _offer(self, chosen: str) -> None:
        """List what passes the filters, and what is chosen in any case."""
        names = [name for name in self._rows if self._passes(name)]
        typed = self.text.value.strip()
        if typed not in names and _exists(typed):
            names.insert(0, typed)
        if chosen not in names:
            names.insert(0, chosen)
        options = [(self._label(name), name) for name in names]
        self._quiet = True
        try:
            with self.control.hold_sync():
                if options != list(self.control.options):
                    self.control.options = options
                self.control.value = chosen
        finally:
            self._quiet = False
        self._tell()

    def _passes(self, name: str) -> bool:
        row = self._rows[name]
        typed = self.text.value.strip().lower()
        return (
            typed in f"{name} {row['about']} {row['weights']}".lower()
            and count_parameters(name) <= self.size.value
            and self.licence.value in ("", row["licence"])
            and set(self.band.value) <= set(row["bands"])
        )

    def _label(self, name: str) -> str:
        row = self._rows.get(name)
        return f"{name}  ·  {row['parameters']}" if row else name

    def _on_change(self, change: Any) -> None:
        if not self._quiet and change["new"] is not None:
            self._tell()
            self._changed()

    def _tell(self) -> None:
        """Write what is known of the chosen one."""
        name = self.control.value
        facts, row = find_facts(name), self._rows.get(name)
        missing = [band for band in self._bands if band not in facts.bands]
        lines = [facts.about, f"bands: {', '.join(facts.bands)}"]
        if row:
            lines.insert(1, f"{row['parameters']} parameters, {row['depth']} deep, patches of "
                            f"{row['patch']} pixels, licence {row['licence']}")
        else:
            lines.insert(1, f"{readable_count(count_parameters(name))} parameters")
        lines.append(_weights(row))
        if missing and facts.pretrained:
            lines.append(f"not pre-trained on the data's {', '.join(missing)}: they start from "
                         "random weights")
        self._facts.value = "".join(f'<div class="wb-help">{escape(line)}</div>'
                                    for line in lines if line)


def _weights(row: dict[str, Any] | None) -> str:
    if row is None:
        return "weights: downloaded at the first use where timm has them"
    if row["weights"] in ("shipped", "none"):
        return {"shipped": "weights: shipped with the package, no download",
                "none": "weights: none, trained from nothing"}[row["weights"]]
    size = "of unknown size" if row["size"] == "–" else f"of {row['size']}"
    return f"weights: needs a download {size} from {row['weights']}"


def _exists(name: str) -> bool:
    if "/" not in name:
        return False
    try:
        find_facts(name)
    except WorkbenchError:
        return False
    return True
