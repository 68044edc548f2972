"""The findings of a split's audit: the chips where they lie, the flagged ones marked, and why."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workbench.data import Split
from workbench.data.audit import Audit
from workbench.data.doctor import Finding, Level
from workbench.data.footprints import centre
from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.outlines import country_rings

# Bad levels: how they are marked, and what they are called.
MARKS: dict[Level, tuple[str, str]] = {"error": ("X", "error"), "warning": ("^", "warning"),
                                       "note": (".", "note")}
LARGEST_NUMBER_OF_PANELS = 12
_MOST = 14  # findings with their text
_CHARACTERS, _LINE = 66, 0.185  # of a finding's text: a line's length, and its height in inches
_SMALLEST = 5.0  # points; a chip that would be smaller is drawn as a dot


@dataclass(frozen=True)
class AuditTable:
    """What is drawn.

    Attributes:
        chips: By chip id: `lon`, `lat`, `part`, `level` (the worst finding that names the chip),
            `place` (a number; regions near each other share one) and `shape`. Chips without
            georeference have no `lon`.
        names: Of the places.
        findings: All but what is right, worst first.
        right: Names of the checks that found nothing.
    """

    chips: pd.DataFrame
    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    right: tuple[str, ...]


def data(source: Split | Audit) -> AuditTable:
    """Return the chips of a split with their place, part and worst finding.

    Args:
        source: An audit, or a split, which is audited first.
    """
    if not isinstance(source, Split | Audit):
        raise DataError(f"An audit is drawn of a split, not of {type(source).__name__}: "
                        "wb.plot(split.audit()).")
    audit = source.audit() if isinstance(source, Split) else source
    source = audit.split
    bad = tuple(finding for finding in audit.findings if finding.level != "ok")
    chips = pd.DataFrame(source.dataset.chips[["region"]])
    part = {chip: name for name, ids in source.parts.items() for chip in ids}
    part |= dict.fromkeys(source.left_out, "left_out")
    chips = chips.assign(part=chips.index.map(part)).dropna(subset="part")
    level = {chip: finding.level for finding in reversed(bad) for chip in finding.chips}
    chips["level"] = pd.Series(level, dtype=object).reindex(chips.index)
    chips["shape"] = source.dataset.chips.geometry.reindex(chips.index)
    at = [(np.nan, np.nan) if shape is None else centre(shape) for shape in chips["shape"]]
    chips["lon"], chips["lat"] = np.array(at, float).reshape(-1, 2).T
    chips["place"], names = _places(chips)
    worse = {finding.check for finding in bad}
    right = tuple(dict.fromkeys(finding.check for finding in audit.findings
                                if finding.check not in worse))
    return AuditTable(chips, names, bad, right)


def _places(chips: pd.DataFrame) -> tuple[pd.Series, tuple[str, ...]]:
    """Number the places: regions whose boxes, widened by their size, meet are one."""
    placed = chips[chips["lon"].notna()]
    boxes = placed.groupby("region").agg(
        west=("lon", "min"), south=("lat", "min"), east=("lon", "max"), north=("lat", "max"))
    side = np.maximum(boxes["east"] - boxes["west"], boxes["north"] - boxes["south"]) + 0.02
    shapes = shapely.box(boxes["west"] - side / 4, boxes["south"] - side / 4,
                         boxes["east"] + side / 4, boxes["north"] + side / 4)
    joined = shapely.get_parts(shapely.union_all(shapes))
    number = {region: int(np.flatnonzero(shapely.intersects(joined, shape))[0])
              for region, shape in zip(boxes.index, shapes, strict=True)}
    members = [[region for region, own in number.items() if own == place]
               for place in range(len(joined))]
    members.sort()
    number = {region: place for place, regions in enumerate(members) for region in regions}
    names = tuple(", ".join(_few([display_name(region) for region in regions]))
                  for regions in members)
    return chips["region"].map(number), names


def _few(names: list[str], count: int = 3) -> list[str]:
    return names if len(names) <= count else [*names[:count], f"{len(names) - count} more"]


def draw(table: AuditTable, figure: Figure) -> None:
    """Draw the places beside the list of findings."""
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.25, 1))[0]
    below = figure.get_figheight() - _map_height(table)
    if below > 0.3:  # a long list leaves the maps their size
        heights = (_map_height(table), below)
        left = left.subfigures(2, 1, squeeze=False, height_ratios=heights)[0, 0]
    _maps(table, left)
    _list(table, right)


def _maps(table: AuditTable, figure: Figure) -> None:
    chips = table.chips[table.chips["lon"].notna()]
    lost = len(table.chips) - len(chips)
    several = 0 < len(table.names) <= LARGEST_NUMBER_OF_PANELS
    count = len(table.names) if several else 1
    columns = int(np.ceil(np.sqrt(count)))
    panels = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for panel in panels:
        style.image_axes(panel)
    if several:
        for place, panel in zip(range(count), panels, strict=False):
            _place(chips[chips["place"] == place], table.names[place], panel)
    elif len(chips):
        _world(chips, panels[0])
    for panel in panels[count:]:
        panel.set_axis_off()
    if not len(chips):
        panels[0].text(0.5, 0.5, "No chip has a place on the map.", ha="center", va="center",
                       color=style.current().muted, transform=panels[0].transAxes)
    elif lost:
        panels[0].annotate(f"{lost} more chips are not on the map", (0, 0), (0, -4),
                           xycoords="axes fraction", textcoords="offset points", va="top",
                           fontsize=8, color=style.current().muted)
    _legend(table, figure)


def _place(chips: pd.DataFrame, name: str, axes: Axes) -> None:
    """Draw the chips of one place in their true shapes, or as dots where they would be tiny."""
    lon = _unwrapped(chips["lon"].to_numpy())
    middle, lat = (lon.min() + lon.max()) / 2, chips["lat"].to_numpy()
    wide = [_side(shape) for shape in chips["shape"]]
    squeeze = max(np.cos(np.deg2rad(lat.mean())), 0.05)
    half = max(np.ptp(lon) / 2 * squeeze, np.ptp(lat) / 2) * 1.06 + max(wide) * 0.7
    axes.set_aspect(1 / squeeze, adjustable="box")
    axes.set_xlim(middle - half / squeeze, middle + half / squeeze)
    axes.set_ylim((lat.min() + lat.max()) / 2 - half, (lat.min() + lat.max()) / 2 + half)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
    axes.set_title(f"{name} · {len(chips)}", fontsize=9, fontweight="normal", pad=4)
    points = axes.get_window_extent().height * 72 / axes.figure.dpi * max(wide) / (2 * half)
    if points >= _SMALLEST:
        _shapes(chips, lon, axes)
    else:
        _dots(chips, lon, axes, 12)
    _flags(chips, lon, axes)


def _side(shape: shapely.Geometry) -> float:
    """Return a chip's height in degrees of latitude; its width may go round the Earth."""
    _, south, _, north = shape.bounds
    return float(north - south)


def _unwrapped(lon: np.ndarray) -> np.ndarray:
    """Return longitudes that do not jump where a place lies on the antimeridian."""
    if np.ptp(lon) <= 180:
        return lon
    east: np.ndarray = np.where(lon < 0, lon + 360, lon)
    return east


def _shapes(chips: pd.DataFrame, lon: np.ndarray, axes: Axes) -> None:
    look = style.current()
    colours = _colours()
    rings, faces = [], []
    for shape, at, part in zip(chips["shape"], lon, chips["part"], strict=True):
        for polygon in shapely.get_parts(shape):
            ring = shapely.get_coordinates(polygon.exterior)
            turn = 360 * round((at - ring[:, 0].mean()) / 360)
            rings.append(ring + np.array([turn, 0]))
            faces.append(colours[part])
    axes.add_collection(PolyCollection(rings, facecolor=faces, edgecolor=look.surface, lw=0.5))


def _dots(chips: pd.DataFrame, lon: np.ndarray, axes: Axes, size: float) -> None:
    colours = chips["part"].map(_colours())
    axes.scatter(lon, chips["lat"], s=size, marker="s", lw=0, color=list(colours))


def _world(chips: pd.DataFrame, axes: Axes) -> None:
    """Draw chips of many places as dots on country outlines."""
    look = style.current()
    axes.set_aspect("equal")
    axes.add_collection(PolyCollection(country_rings(), facecolor=look.land, lw=0.5,
                                       edgecolor=look.border, zorder=0))
    lon, lat = chips["lon"].to_numpy(), chips["lat"].to_numpy()
    half = max(np.ptp(lon) / 2, np.ptp(lat) / 2, 3.0) * 1.15
    axes.set_xlim(max(lon.mean() - half, -180), min(lon.mean() + half, 180))
    axes.set_ylim(max(lat.mean() - half, -90), min(lat.mean() + half, 90))
    axes.set_title(f"{chips['region'].nunique()} regions · {len(chips)} chips", fontsize=9,
                   fontweight="normal", pad=4)
    _dots(chips, lon, axes, 9)
    _flags(chips, lon, axes)


def _flags(chips: pd.DataFrame, lon: np.ndarray, axes: Axes) -> None:
    look = style.current()
    for level, (marker, _) in reversed(MARKS.items()):
        rows = (chips["level"] == level).to_numpy()
        if rows.any():
            axes.scatter(lon[rows], chips["lat"][rows], marker=marker, zorder=4,
                         s=8 if level == "note" else 34, color=_level_colours()[level],
                         edgecolor=look.surface, linewidth=0 if level == "note" else 0.7)


def _colours() -> dict[str, str]:
    look = style.current()
    return {"train": look.trained, "val": look.runs[5], "test": look.runs[2],
            "held_out": look.held_out, "left_out": look.rule}


def _level_colours() -> dict[Level, str]:
    look = style.current()
    return {"error": look.alarm, "warning": look.ink, "note": look.ink}


def _legend(table: AuditTable, figure: Figure) -> None:
    counts = table.chips["part"].value_counts()
    handles = [Line2D([], [], color=colour, marker="s", ls="", ms=7,
                      label=f"{part.replace('_', ' ')} {counts[part]}")
               for part, colour in _colours().items() if part in counts]
    flagged = table.chips["level"].value_counts()
    handles += [Line2D([], [], color=_level_colours()[level], marker=marker, ls="",
                       ms=4 if level == "note" else 7, label=f"{name} {flagged[level]}")
                for level, (marker, name) in MARKS.items() if level in flagged]
    figure.legend(handles=handles, loc="outside lower left", ncols=4, handletextpad=0.2,
                  columnspacing=1.2)


def _list(table: AuditTable, figure: Figure) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    look = style.current()
    lines = _lines(table)
    axes.set_xlim(0, 1)
    axes.set_ylim(max(len(lines), _least_lines(table)), 0)
    for row, (level, text) in enumerate(lines):
        if level in MARKS:
            axes.plot(0.012, row + 0.5, marker=MARKS[level][0], ms=7,
                      color=_level_colours()[level], clip_on=False)
        head = level in MARKS or level == "title"
        axes.text(0.04 if level != "title" else 0, row + 0.5, text, va="center", fontsize=9,
                  fontweight="bold" if head else "normal",
                  color=look.muted if level == "quiet" else look.ink, clip_on=False)


def _lines(table: AuditTable) -> list[tuple[str, str]]:
    """Return the lines of the list: a level or a kind of text, and what stands there."""
    levels = Counter(finding.level for finding in table.findings)
    counts = [_count(levels[level], name) for level, (_, name) in MARKS.items() if levels[level]]
    lines = [("title", ", ".join(counts) or "The audit found nothing wrong"), ("quiet", "")]
    for finding in table.findings[:_MOST]:
        count = f" · {_count(len(finding.chips), 'chip')}" if finding.chips else ""
        lines.append((finding.level, f"{finding.check}{count}"))
        lines += [("text", line) for line in _wrapped(str(finding), 4)]
        lines.append(("quiet", ""))
    if (more := len(table.findings) - _MOST) > 0:
        lines += [("quiet", f"… and {more} more: split.audit() lists all"), ("quiet", "")]
    if table.right:
        text = f"Nothing wrong with {', '.join(table.right)}."
        lines += [("quiet", line) for line in _wrapped(text, 3)]
    return lines


def _count(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _wrapped(text: str, most: int) -> list[str]:
    return textwrap.wrap(text, _CHARACTERS, max_lines=most, placeholder=" …")


def _least_lines(table: AuditTable) -> int:
    return int((_map_height(table) - 0.1) / _LINE)


def _map_height(table: AuditTable) -> float:
    return 3.4 if len(table.names) in (0, 1, 2) else 4.8


def _size(table: AuditTable) -> tuple[float, float]:
    return 10.6, max(_map_height(table), 0.35 + _LINE * len(_lines(table)))


PLOTS.add("audit", Plot(data, draw, _size, lambda source: isinstance(source, Audit)))
