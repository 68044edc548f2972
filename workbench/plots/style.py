"""How every plot looks: fonts, two themes, colours that colour-blind readers tell apart."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import io
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Pictures of imagery grow with the square of their resolution, and notebooks keep every one.
LARGEST_REPR_BYTES = 300_000

ThemeName = Literal["light", "dark"]


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of one theme; `runs` are Okabe and Ito's, brightened on a dark ground.

    Source: Okabe, Ito (2008), Color Universal Design, jfly.uni-koeln.de/color.
    """

    surface: str
    ink: str
    muted: str
    rule: str
    land: str
    border: str
    runs: tuple[str, ...]
    baselines: tuple[str, ...]
    held_out: str
    trained: str
    alarm: str


LIGHT = Theme(
    surface="#ffffff", ink="#1c2127", muted="#5f6973", rule="#dfe3e8", land="#e9ecef",
    border="#ffffff",
    runs=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    baselines=("#4b5563", "#7b8591", "#9aa4b0"), held_out="#D55E00", trained="#0072B2",
    alarm="#B3001E",
)
DARK = Theme(
    surface="#16191d", ink="#e8eaed", muted="#9ba4ae", rule="#333a42", land="#2b3138",
    border="#16191d",
    runs=("#4FA9EA", "#F2894A", "#3FC79D", "#E6A3CB", "#F3BE4D", "#93D4F7"),
    baselines=("#c3cad2", "#98a2ad", "#737d88"), held_out="#F2894A", trained="#4FA9EA",
    alarm="#FF5C70",
)
# Runs beyond the number of colours take the colours again, with the next marker.
RUN_MARKERS = ("o", "s", "^", "v")
# Baselines are grey, and greys alone are hard to tell apart.
BASELINE_MARKERS = ("D", "s", "^", "v", "P", "X")
_THEME: contextvars.ContextVar[Theme] = contextvars.ContextVar("theme", default=LIGHT)


class Picture(Figure):
    """A figure without global state that shows itself sharply in a notebook."""

    def png(self, dpi: float = 144) -> bytes:
        """Return the figure as PNG bytes."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=dpi)
        return buffer.getvalue()

    def svg(self) -> str:
        """Return the figure as SVG text that is the same every time it is drawn.

        A figure in the light theme turns dark by itself where the page's reader prefers that.
        """
        buffer = io.StringIO()
        with _SETTINGS, mpl.rc_context({"svg.hashsalt": "workbench"}):
            self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        text = buffer.getvalue()
        return _two_themed(_LONG_NUMBER.sub(_shorten, text[text.index("<svg"):]))

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = self.get_size_inches() * 96
        sharp = self.png(dpi=144)
        png = sharp if len(sharp) <= LARGEST_REPR_BYTES else self.png(dpi=96)
        return png, {"width": round(width), "height": round(height)}


# Matplotlib writes six decimals of a 1/72 inch; two are more than any screen shows.
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def _shorten(match: re.Match[str]) -> str:
    number = float(match.group())
    return f"{number:.2f}" if abs(number) >= 1 else f"{number:.4g}"


def _two_themed(svg: str) -> str:
    """Make the colours of the light theme variables that a media query sets."""
    light, dark = (tuple(_colours(look)) for look in (LIGHT, DARK))
    names = {colour.lower(): f"--c{place}" for place, colour in enumerate(light)}
    for colour, name in names.items():
        svg = re.sub(f"(?i){colour}(?![0-9a-f])", f"var({name})", svg)
    rules = [";".join(f"--c{place}:{colour}" for place, colour in enumerate(colours))
             for colours in (light, dark)]
    style = (f"<style>:root{{{rules[0]}}}"
             f"@media (prefers-color-scheme:dark){{:root{{{rules[1]}}}}}</style>")
    head, rest = svg.split(">", 1)
    return f"{head}>{style}{rest}"


def _colours(look: Theme) -> Iterator[str]:
    for value in dataclasses.astuple(look):
        yield from (value,) if isinstance(value, str) else value


@functools.cache
def _fonts() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    wished = ("Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")
    return tuple(name for name in wished if name in installed)


def theme(name: ThemeName = "light") -> Theme:
    """Return the colours of a theme."""
    return DARK if name == "dark" else LIGHT


def current() -> Theme:
    """Return the theme that is in use (see `themed`)."""
    return _THEME.get()


# matplotlib has one set of settings: a dashboard's thread and a cell change them in turn, or what
# one of them set would stay behind.
_SETTINGS = threading.RLock()


@contextlib.contextmanager
def themed(name: ThemeName = "light") -> Iterator[Theme]:
    """Draw in a theme; matplotlib's own settings come back afterwards."""
    look = theme(name)
    settings: dict[Any, Any] = {
        "font.family": list(_fonts()), "font.size": 10, "axes.titlesize": 11,
        "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 8,
        "axes.labelsize": 9.5, "xtick.labelsize": 9, "ytick.labelsize": 9,
        "legend.fontsize": 9, "legend.frameon": False, "legend.handlelength": 1.6,
        "text.color": look.ink, "axes.labelcolor": look.muted, "axes.titlecolor": look.ink,
        "xtick.color": look.muted, "ytick.color": look.muted, "axes.edgecolor": look.rule,
        "axes.facecolor": look.surface, "figure.facecolor": look.surface,
        "grid.color": look.rule, "grid.linewidth": 0.8,
        "axes.spines.top": False, "axes.spines.right": False, "xtick.major.size": 0,
        "ytick.major.size": 0, "lines.linewidth": 1.9, "lines.solid_capstyle": "round",
        "hatch.linewidth": 0.8, "axes.axisbelow": True, "figure.dpi": 96,
        "figure.constrained_layout.use": False, "axes.unicode_minus": True,
    }
    token = _THEME.set(look)
    try:
        with _SETTINGS, mpl.rc_context(settings):
            yield look
    finally:
        _THEME.reset(token)


def run_colours(names: Sequence[str], baselines: Sequence[str] = ()) -> dict[str, str]:
    """Give each run a colour: runs in the theme's order, baselines in greys."""
    look = current()
    tuned = [name for name in names if name not in baselines]
    greys = [name for name in names if name in baselines]
    colours = {name: look.runs[i % len(look.runs)] for i, name in enumerate(tuned)}
    colours |= {name: look.baselines[i % len(look.baselines)] for i, name in enumerate(greys)}
    return colours


def run_markers(names: Sequence[str], baselines: Sequence[str] = ()) -> dict[str, str]:
    """Give each run a marker: a circle while colours last, then others; baselines differ in it."""
    tuned = [name for name in names if name not in baselines]
    greys = [name for name in names if name in baselines]
    turns = {name: place // len(current().runs) for place, name in enumerate(tuned)}
    markers = {name: RUN_MARKERS[turn % len(RUN_MARKERS)] for name, turn in turns.items()}
    return markers | {name: BASELINE_MARKERS[place % len(BASELINE_MARKERS)]
                      for place, name in enumerate(greys)}


def run_looks(runs: Sequence[str], baselines: Sequence[str] = ()) -> dict[str, tuple[str, str]]:
    """Give each run a colour and a marker, in the order given."""
    names = list(dict.fromkeys(runs))
    greys = list(dict.fromkeys(baselines))
    colours, markers = run_colours(names, greys), run_markers(names, greys)
    return {name: (colours[name], markers[name]) for name in names}


def run_legend(looks: dict[str, tuple[str, str]], labels: dict[str, str] | None = None
               ) -> list[Line2D]:
    """Return the handles of a legend of runs."""
    return [Line2D([], [], color=colour, marker=marker, ls="", ms=6.5,
                   label=(labels or {}).get(run, run))
            for run, (colour, marker) in looks.items()]


def image_axes(axes: Axes) -> None:
    """Turn off everything of an axes but its picture and title."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
