"""What is known of one pixel: place, bands with their spectrum, label, and what each run says."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import xarray as xr

from workbench.data.bands import BANDS
from workbench.evaluation.maps import prediction_classes
from workbench.plots.webmap import pixel_at
from workbench.prediction.grid import Grid, array_grid
from workbench.prediction.result import NODATA

_WIDTH, _HEIGHT = 210, 84


def find_pixel(ground: xr.Dataset, lat: float, lon: float) -> tuple[int, int] | None:
    """Return row and column at a place, None outside."""
    grid = array_grid(ground)
    row, column = pixel_at(lat, lon, grid.transform, grid.crs)
    inside = 0 <= row < grid.height and 0 <= column < grid.width
    return (row, column) if inside and ground["chip"].values[row, column] >= 0 else None


def pixel_table(ground: xr.Dataset, row: int, column: int) -> pd.DataFrame:
    """Return what each run says of a pixel: its class, and the probability of every class."""
    here = ground.isel(y=row, x=column)
    names = [entry.name for entry in prediction_classes(ground)]
    found = pd.DataFrame(here["probabilities"].transpose("run", "category").values,
                         index=[str(run) for run in ground["run"].values], columns=names)
    classes = [names[value] if value != NODATA else None for value in here["class"].values]
    found.insert(0, "class", classes)
    return found


def pixel_html(ground: xr.Dataset, row: int, column: int, lat: float, lon: float) -> str:
    """Return the same for people, with the bands as a small spectrum; everything is escaped."""
    here = ground.isel(y=row, x=column)
    legend = prediction_classes(ground)
    colors = {entry.name: entry.color for entry in legend}
    label = int(here["label"])
    truth = legend[label].name if label < len(legend) else None
    chip = ground.attrs["chips"][int(here["chip"])]
    head = _where(array_grid(ground), row, column, lat, lon) if ground.attrs["georeferenced"] \
        else "<b>no position</b>"
    head += f"<span>{escape(chip)} · row {row}, column {column} of the view</span>"
    said = "".join(_run_row(str(run), entry["class"], entry.drop("class"), truth, colors)
                   for run, entry in pixel_table(ground, row, column).iterrows())
    shown = _chip(truth, colors) if truth else "<i>no label</i>"
    return (f'<div class="wb-pixel"><div class="wb-pixel-where">{head}</div>'
            f'<div class="wb-pixel-bands">{_spectrum(here["image"])}</div>'
            f'<table><tr><td>label</td><td colspan="2">{shown}</td></tr>{said}</table></div>')


def view_pixel_html(view: xr.Dataset, row: int, column: int, lat: float, lon: float) -> str:
    """Return the same of the one pixel of a large scene that `view` holds, at `row` and `column`.

    Args:
        view: One pixel, as `wb.scene_view` gives it.
        row: Its row in the scene.
        column: Its column in the scene.
        lat: Where it was clicked.
        lon: Where it was clicked.
    """
    here = view.isel(y=0, x=0)
    legend = prediction_classes(view)
    colors = {entry.name: entry.color for entry in legend}
    said = ""
    for run in here["run"].values:
        value = int(here["class"].sel(run=run))
        name = legend[value].name if value < len(legend) else None
        sure = float(here["probability"].sel(run=run)) if "probability" in here else np.nan
        shown = f"{_chip(name, colors)}" if name else "<i>nodata</i>"
        said += (f"<tr><td>{escape(str(run))}</td><td>{shown}</td>"
                 f"<td>{f'{100 * sure:.1f} %' if np.isfinite(sure) else ''}</td></tr>")
    bands = _spectrum(here["image"]) if "image" in here else ""
    head = _where(array_grid(view), 0, 0, lat, lon)
    return (f'<div class="wb-pixel"><div class="wb-pixel-where">{head}'
            f"<span>row {row}, column {column}</span></div>"
            f'<div class="wb-pixel-bands">{bands}<table>{said}</table></div></div>')


def _where(grid: Grid, row: int, column: int, lat: float, lon: float) -> str:
    x, y = grid.transform @ (column + 0.5, row + 0.5)
    lon = (lon + 180) % 360 - 180
    where = (f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, "
             f"{abs(lon):.5f}° {'E' if lon >= 0 else 'W'}")
    place = f"{x:.7g}, {y:.8g} · {grid.crs.to_string()}"
    return f"<b>{escape(where)}</b><span>{escape(place)}</span>"


def _run_row(run: str, found: str | None, shares: pd.Series, truth: str | None,
             colors: dict[str, str]) -> str:
    if found is None:
        return f'<tr><td>{escape(run)}</td><td colspan="2"><i>nodata</i></td></tr>'
    mark = "" if truth is None else (
        '<span title="right">✓</span>' if truth == found else '<span title="wrong">✗</span>')
    bars = "".join(
        f'<i title="{escape(str(name))} {100 * share:.1f} %" '
        f'style="flex:{share:.4f} 0 0;background:{colors[str(name)]}"></i>'
        for name, share in shares.items())
    top = float(shares[found])
    return (f"<tr><td>{escape(run)}</td><td>{_chip(found, colors)} {mark}</td>"
            f'<td><div class="wb-shares">{bars}</div>{100 * top:.1f} %</td></tr>')


def _chip(name: str, colors: dict[str, str]) -> str:
    return f'<i class="wb-swatch" style="background:{colors[name]}"></i>{escape(name)}'


def _spectrum(image: xr.DataArray) -> str:
    """Return the bands of a pixel as a line over their wavelengths, and as numbers."""
    names, values = [str(name) for name in image["band"].values], image.values.astype(float)
    numbers = "".join(f"<tr><td>{escape(_short(name))}</td><td>{_number(value)}</td></tr>"
                      for name, value in zip(names, values, strict=True))
    if not np.isfinite(values).all():
        return f"<table>{numbers}</table>"
    return _drawing(names, values) + f"<table>{numbers}</table>"


def _drawing(names: Sequence[str], values: np.ndarray) -> str:
    lengths = [BANDS[name].wavelength_nm if name in BANDS else None for name in names]
    # Bands without a wavelength (radar) stand side by side; thermal ones would squeeze the others.
    spread = None not in lengths and max(lengths) < 3000 and len(set(lengths)) > 1  # type: ignore
    places = np.array(lengths if spread else range(len(names)), float)
    order = np.argsort(places)
    low, high = min(0.0, values.min()), max(values.max(), values.min() + 1e-6)
    xs = 8 + (_WIDTH - 16) * (places - places.min()) / (np.ptp(places) or 1)
    ys = _HEIGHT - 16 - (_HEIGHT - 26) * (values - low) / ((high - low) or 1)
    line = " ".join(f"{xs[place]:.1f},{ys[place]:.1f}" for place in order)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{escape(name)} '
                   f"{_number(value)}</title></circle>"
                   for name, value, x, y in zip(names, values, xs, ys, strict=True))
    ends = (f"{places.min():.0f}", f"{places.max():.0f} nm") if spread else (
        _short(names[0]), _short(names[-1]))
    return (f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="spectrum">'
            f'<line x1="8" x2="{_WIDTH - 8}" y1="{_HEIGHT - 14}" y2="{_HEIGHT - 14}"/>'
            f'<polyline points="{line}"/>{dots}<text x="8" y="{_HEIGHT - 2}">{escape(ends[0])}'
            f'</text><text x="{_WIDTH - 8}" y="{_HEIGHT - 2}" text-anchor="end">'
            f"{escape(ends[1])}</text></svg>")


def _short(name: str) -> str:
    return name.replace("_", " ").lower() if len(name) > 3 else name


def _number(value: float) -> str:
    return "nodata" if not np.isfinite(value) else f"{value:.4g}"
