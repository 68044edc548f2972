"""When and where each window was taken, for the models that are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import rasterio.warp
from rasterio.errors import CRSError, RasterioError
from torch import Tensor

from workbench.assembly import Model, encoder
from workbench.errors import GridError, RecipeError
from workbench.models.metadata import Dates, LonLat
from workbench.prediction.blending import Corner, Tiling
from workbench.prediction.grid import Grid

# First row and column of windows to the model's time and location.
Metadata = Callable[[Sequence[Corner]], tuple[Tensor | None, Tensor | None]]


def window_metadata(model: Model, grid: Grid, tiling: Tiling, date: Dates | None
                    ) -> Metadata | None:
    """Return what makes the metadata of windows; None for a model that takes pixels alone.

    The location is that of each window's own centre, as each chip's was in training; where
    windows overlap, their answers are blended, so that the change leaves no seam.

    Raises:
        RecipeError: The model is told the date and there is none, or not one for each frame.
        GridError: The CRS has no longitude and latitude.
    """
    encode = encoder(model)
    if encode is None:
        return None
    coords = model.description.recipe.coords
    if "time" in coords and date is None:
        raise RecipeError(
            "The model was trained with the date of every chip (metadata="
            f"{model.description.recipe.metadata!r}), so it needs the scene's: "
            "predict(…, date='2018-03-14')."
        )
    frames = model.description.num_frames
    given = 1 if isinstance(date, str) or not isinstance(date, Sequence) else len(date)
    if "time" in coords and given != frames:
        raise RecipeError(
            f"The model is told the date of each of {frames} frames; date={date!r} names {given}: "
            "predict(…, date=['2018-03-14', …])."
        )

    def metadata(corners: Sequence[Corner]) -> tuple[Tensor | None, Tensor | None]:
        places: Sequence[LonLat | None] = [None] * len(corners)
        if "location" in coords:
            places = _centres(grid, tiling, corners)
        return encode([date] * len(corners), places)

    return metadata


def _centres(grid: Grid, tiling: Tiling, corners: Sequence[Corner]) -> list[LonLat]:
    height, width = min(tiling.window, grid.height), min(tiling.window, grid.width)
    rows, columns = (np.array(starts, float) for starts in zip(*corners, strict=True))
    place = grid.transform
    x = place.c + place.a * (columns + width / 2) + place.b * (rows + height / 2)
    y = place.f + place.d * (columns + width / 2) + place.e * (rows + height / 2)
    try:
        longitudes, latitudes = rasterio.warp.transform(
            grid.crs, "EPSG:4326", x.tolist(), y.tolist()
        )[:2]
    except (CRSError, RasterioError) as error:
        raise GridError(
            f"The model is told where each window is, but the CRS of the source has no longitude "
            f"and latitude: {error}. Give the source its true CRS."
        ) from error
    return list(zip(longitudes, latitudes, strict=True))
