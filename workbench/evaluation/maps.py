"""Maps of how good a prediction is: errors, disagreement between runs, confidence.

Each takes what `wb.predict` or `wb.chip_map` returned and is a map of classes itself: `wb.plot`
draws it, `wb.to_cog` writes it, its legend travels with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from workbench.data import ClassInfo
from workbench.errors import DataError, GridError, unknown_name
from workbench.prediction.grid import array_grid, spatial_dims
from workbench.prediction.result import NODATA, dataset, require_one_run

# Blue-green classes keep their colour where they are right; these two mean wrong, and differ from
# each other and from water and land for every colour vision.
MISSED = "#E69F00"
FALSE_ALARM = "#D6409F"
_OTHER = "#e9e6df"
# Pale to dark, told apart with any colour vision.
# Source: ColorBrewer, RdPu, five classes (Harrower, Brewer 2003).
_RAMP = ("#feebe2", "#fbb4b9", "#f768a1", "#c51b8a", "#7a0177")


def error_map(prediction: xr.Dataset, label: xr.DataArray | npt.ArrayLike, *,
              of: str | None = None) -> xr.Dataset:
    """Say of every pixel whether a prediction is right, and if not in which way it is wrong.

    Args:
        prediction: Of one run, as `wb.predict` or `wb.chip_map` gives it.
        label: ``(y, x)`` class numbers on exactly the same grid; what is no class is unknown.
        of: The class that is looked for. With two classes it is the second one; with more, and
            without `of`, right pixels keep their class and all others are `wrong`.

    Returns:
        `class` ``(y, x)`` uint8 on the grid of the prediction. Of one class: 0 rightly left out
        (true negative), 1 rightly found (true positive), 2 missed (false negative), 3 found
        falsely (false positive). Otherwise k for class k rightly found, and one more for wrong.
        255 where prediction or label has no class.

    Raises:
        GridError: The label has another shape or lies elsewhere, be it by half a pixel.
        DataError: The prediction is of several runs.
        UnknownNameError: There is no class of that name.
    """
    require_one_run(prediction)
    classes = prediction_classes(prediction)
    found = prediction["class"].transpose(*spatial_dims(prediction)).values
    truth = _on_grid(label, prediction)
    names = [entry.name for entry in classes]
    if of is not None and of not in names:
        raise unknown_name("class", of, names, "the prediction's legend")
    known = (found < len(classes)) & (truth >= 0) & (truth < len(classes))
    if of is None and len(classes) > 2:
        judged = np.where(found == truth, truth, len(classes))
        legend = [*classes, ClassInfo(name="wrong", color=MISSED)]
    else:
        sought = 1 if of is None else names.index(of)
        judged = np.choose(2 * (truth == sought) + (found == sought), [0, 3, 2, 1])
        other = classes[0] if len(classes) == 2 and sought == 1 \
            else ClassInfo(name=f"not {names[sought]}", color=_OTHER)
        legend = [other, classes[sought],
                  ClassInfo(name=f"missed {names[sought]}", color=MISSED),
                  ClassInfo(name=f"false {names[sought]}", color=FALSE_ALARM)]
    return _painted(np.where(known, judged, NODATA), prediction, legend, "errors")


def disagreement_map(predictions: xr.Dataset) -> xr.Dataset:
    """Count at every pixel how many runs predict another class than most of them do.

    Args:
        predictions: Of two or more runs (dimension `run`).

    Returns:
        `class` ``(y, x)`` uint8: the number of runs that differ, 255 where none predicts.

    Raises:
        DataError: There is one run only.
    """
    if predictions.sizes.get("run", 1) < 2:
        raise DataError("Runs can disagree where there are two of them: pass several to "
                        "wb.predict or wb.chip_map.")
    found = predictions["class"].transpose("run", *spatial_dims(predictions)).values
    count = len(found)
    votes = np.stack([(found == value).sum(axis=0)
                      for value in range(len(prediction_classes(predictions)))])
    differ = np.where((found != NODATA).all(axis=0), count - votes.max(axis=0), NODATA)
    # With k classes the largest group has at least a k-th of the runs.
    most = count - math.ceil(count / len(votes))
    names = ["all agree", *(_differing(number, count) for number in range(1, most + 1))]
    return _painted(differ, predictions, _legend(names), "disagreement")


def confidence_map(prediction: xr.Dataset) -> xr.Dataset:
    """Sort every pixel by the probability of its predicted class, in steps of ten points.

    It is what the model says of itself, which only calibration makes true.

    Args:
        prediction: Of one run, as `wb.predict` or `wb.chip_map` gives it.

    Returns:
        `class` ``(y, x)`` uint8 from the surest pixels (0) to the least sure, 255 where there is
        none.

    Raises:
        DataError: The prediction is of several runs.
    """
    require_one_run(prediction, "probability")
    probability = prediction["probability"].transpose(*spatial_dims(prediction)).values
    lowest = 10 // len(prediction_classes(prediction))
    known = np.isfinite(probability)
    tenth = np.clip(np.floor(10 * np.where(known, probability, 0) + 1e-6), lowest, 9)
    names = [f"{10 * step}–{10 * step + 10} %" for step in range(9, lowest - 1, -1)]
    return _painted(np.where(known, 9 - tenth, NODATA), prediction, _legend(names), "confidence")


def prediction_classes(prediction: xr.Dataset) -> list[ClassInfo]:
    """Return the classes as a prediction states them, by the CF conventions (3.5).

    Raises:
        DataError: It does not say what its numbers mean.
    """
    said = prediction["class"].attrs if "class" in prediction else {}
    if not {"flag_meanings", "flag_colors"} <= set(said):
        raise DataError("The dataset does not say its classes; pass what wb.predict or "
                        "wb.chip_map returned.")
    names = [name.replace("_", " ") for name in said["flag_meanings"].split()]
    return [ClassInfo(name=name, color=color)
            for name, color in zip(names, said["flag_colors"].split(), strict=True)]


def _on_grid(label: xr.DataArray | npt.ArrayLike, prediction: xr.Dataset) -> npt.NDArray:
    if isinstance(label, xr.DataArray):
        own, grid = array_grid(label), array_grid(prediction)
        label = label.transpose(*spatial_dims(label)).values
        if own.crs != grid.crs or not own.transform.almost_equals(grid.transform, 1e-6):
            raise GridError("The label does not lie on the grid of the prediction: its pixels "
                            f"begin at {own.transform.c:.10g}, {own.transform.f:.10g} in "
                            f"{own.crs}, those of the prediction at {grid.transform.c:.10g}, "
                            f"{grid.transform.f:.10g} in {grid.crs}. Bring it there by nearest "
                            "neighbour: label.rio.reproject_match(prediction).")
    truth = np.asarray(label)
    shape = tuple(prediction.sizes[name] for name in spatial_dims(prediction))
    if truth.shape != shape:
        raise GridError(f"The label has the shape {truth.shape}, the prediction {shape}; both "
                        "are (y, x) of the same pixels.")
    return np.where(np.isfinite(truth), truth, -1).astype(np.int64)


def _painted(values: npt.NDArray, like: xr.Dataset, legend: Sequence[ClassInfo],
             what: str) -> xr.Dataset:
    return dataset({"class": values.astype(np.uint8)[None]}, array_grid(like), legend, None,
                   {**like.attrs, "map": what})


def _differing(number: int, count: int) -> str:
    return "the runs differ" if count == 2 else f"{number} of {count} differ"


def _legend(names: Sequence[str]) -> list[ClassInfo]:
    anchors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in _RAMP])
    places = np.linspace(0, len(_RAMP) - 1, len(names))
    mixed = [np.interp(places, range(len(_RAMP)), part).round().astype(int) for part in anchors.T]
    return [ClassInfo(name=name, color="#{:02x}{:02x}{:02x}".format(*rgb))
            for name, rgb in zip(names, zip(*mixed, strict=True), strict=True)]
