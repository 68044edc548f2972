"""What a prediction is: classes, probabilities and entropy on the grid of their source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from workbench.data import ClassInfo
from workbench.errors import DataError
from workbench.prediction.grid import Grid

NODATA = 255
_MEANING = {
    "probability": {"long_name": "probability of the predicted class", "units": "1"},
    "entropy": {"long_name": "entropy of the class probabilities", "units": "nat"},
}


def empty(name: str, shape: tuple[int, ...]) -> npt.NDArray:
    """Return an array of nodata for `class`, `probability` or `entropy`."""
    if name == "class":
        return np.full(shape, NODATA, np.uint8)
    return np.full(shape, np.nan, np.float32)


def dataset(arrays: Mapping[str, Any], grid: Grid, classes: Sequence[ClassInfo],
            names: Sequence[str] | None, facts: dict[str, Any]) -> xr.Dataset:
    """Return arrays ``(run, y, x)`` by name as a georeferenced dataset.

    Args:
        arrays: `class`, `probability` and perhaps `entropy`.
        grid: Where the pixels are.
        classes: Names and colours.
        names: Coordinates of the dimension `run`; None drops it.
        facts: Attributes.
    """
    # Names and colours by the CF conventions, 3.5.
    attributes = {
        "long_name": "predicted class", "nodata": NODATA,
        "flag_values": np.arange(len(classes), dtype=np.uint8),
        "flag_meanings": " ".join(entry.name.replace(" ", "_") for entry in classes),
        "flag_colors": " ".join(entry.color for entry in classes),
    }  # fmt: skip
    meanings = {"class": attributes, **_MEANING}
    variables = {name: xr.Variable(("run", "y", "x"), values, meanings[name])
                 for name, values in arrays.items()}
    result = xr.Dataset(variables, attrs=facts)
    if names is None:
        return grid.georeferenced(result.isel(run=0))
    return grid.georeferenced(result.assign_coords(run=list(names)))


def require_one_run(prediction: xr.Dataset, *names: str) -> None:
    """Raise unless a prediction is that of one run and has its class and what else is named.

    Raises:
        DataError: It is no prediction, lacks one, or has the dimension `run`; names the runs.
    """
    if isinstance(prediction, Mapping) and not isinstance(prediction, xr.Dataset):
        raise DataError(f"These are predictions of several sources ({', '.join(prediction)}). "
                        "Choose one, or take them in turn: for name, prediction in "
                        "predictions.items(): ….")
    missing = [name for name in ("class", *names)
               if not isinstance(prediction, xr.Dataset) or name not in prediction]
    if missing:
        what = f"a dataset with {', '.join(map(str, prediction))}" \
            if isinstance(prediction, xr.Dataset) else type(prediction).__name__
        raise DataError(f"Expected what wb.predict returned, a dataset with "
                        f"{' and '.join(missing)}, not {what}.")
    if "run" in prediction.dims:
        runs = ", ".join(repr(str(name)) for name in prediction["run"].values)
        raise DataError(
            f"The prediction is of several runs ({runs}). Choose one: "
            f"prediction.sel(run={str(prediction['run'].values[0])!r})."
        )
