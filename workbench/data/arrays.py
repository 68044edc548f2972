"""A dataset from one scene that xarray holds, of one or several dates: kept in a Zarr store."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rioxarray  # noqa: F401  (the accessor .rio)
import xarray as xr

from workbench.data.bands import canonical_all, find
from workbench.data.dates import dates_to_json, find_dates, write_dates
from workbench.data.folder import Facts, Index, index_opened
from workbench.data.index import Scene
from workbench.data.readers.zarr_store import (
    IMAGE,
    MASK,
    band_first,
    band_variables,
    frame_dates,
    mask_grid,
    open_store,
    store_frames,
    store_grid,
    time_dim,
)
from workbench.errors import BandError, DataError, GridError
from workbench.storage import atomic_folder, cache_dir, out_of_space_explained

_ROWS = 1024  # rows that are in memory at once while a scene is written
_CHUNK = 256  # side of a Zarr chunk, about that of a training chip

AnyImage = xr.DataArray | xr.Dataset | str | Path


def index_xarray(image: AnyImage, mask: xr.DataArray | str, facts: Facts, *, region: str | None,
                 date: str | Sequence[str] | None, store: str | Path | None) -> Index:
    """Return facts, index and what was left out; see `Dataset.from_xarray`."""
    if isinstance(image, str | Path):
        if not isinstance(mask, str):
            raise DataError("mask= is the name of a variable where the image is a Zarr store.")
        path, variable = Path(image).expanduser().absolute(), mask
    else:
        pixels, labels = _aligned(image, mask)
        date = frame_dates(pixels) if date is None else date
        if not facts.bands:
            facts = replace(facts, bands=_band_names(pixels))
        path, variable = _written(pixels, labels, store), MASK
    scene = open_store(path)
    if variable not in scene:
        raise DataError(f"{path} has no variable {variable!r}; it has {', '.join(_names(scene))}.")
    names = band_variables(scene, variable)
    if names != [IMAGE]:
        facts = replace(facts, bands=_chosen(names, facts.bands, path))
    elif not facts.bands:
        facts = replace(facts, bands=_band_names(band_first(scene[IMAGE])))
    facts = replace(facts, frames=store_frames(scene, names))
    date = frame_dates(scene[names[0]]) if date is None else date
    name = facts.name or path.stem
    # The place of a mask in a store is its variable's name, which reads as a file in a folder.
    labels_at = f"{path}/{variable}"
    opened = Scene(name, store_grid(path, variable), mask_grid(path, variable), region or name)
    opened = replace(opened, mask=replace(opened.mask, path=labels_at))
    source = {"kind": "xarray", "store": str(path), "mask": variable, "region": region,
              "date": dates_to_json(date)}
    info, chips, skipped = index_opened([opened], {}, replace(facts, name=name), source,
                                        reader="zarr")
    if date is not None:
        write_dates(chips, [find_dates(date, str(path), facts.frames)] * len(chips))
    return info, chips, skipped


def _aligned(image: xr.DataArray | xr.Dataset, mask: xr.DataArray | str
             ) -> tuple[xr.DataArray, xr.DataArray]:
    """Return image ``(band, [time,] y, x)`` and mask ``(y, x)`` on one grid."""
    if isinstance(image, xr.Dataset):
        if isinstance(mask, str):
            if mask not in image:
                raise DataError(
                    f"The Dataset has no variable {mask!r}; it has {', '.join(_names(image))}."
                )
            image, mask = image.drop_vars(mask), image[mask]
        crs = image.rio.crs
        image = image.to_dataarray("band")
        image = image.rio.write_crs(crs) if crs else image
    if isinstance(mask, str):
        raise DataError("mask= is a name, but the image is one array: pass the mask as an array.")
    y, x = _spatial(image)
    time = time_dim(image)
    other = [dim for dim in image.dims if dim not in (y, x, time)]
    if len(other) != 1:
        raise DataError(
            f"The image has the dimensions {_dims(image)}; expected one for the bands beside y and "
            "x, and at most `time` beside them. Rename the dimension of dates: "
            "image.rename(acquired='time')."
        )
    if set(mask.dims) != {y, x}:
        raise GridError(f"The mask has the dimensions {_dims(mask)}; expected {y} and {x}.")
    if not image.size:
        raise DataError(f"The image has no pixels: {_dims(image)}.")
    if image.rio.crs and mask.rio.crs and image.rio.crs != mask.rio.crs:
        raise GridError(
            f"The image is in {image.rio.crs}, its mask in {mask.rio.crs}. Bring the mask to the "
            "image's grid first: mask.rio.reproject_match(image)."
        )
    try:
        image, mask = xr.align(image, mask, join="exact")
    except ValueError as error:
        raise GridError(
            "Image and mask are not on the same grid: their coordinates differ. Bring the mask to "
            f"it first: mask.rio.reproject_match(image). ({str(error).splitlines()[0][:160]})"
        ) from None
    between = () if time is None else (time,)
    return image.transpose(other[0], *between, y, x), mask.transpose(y, x)


def _spatial(image: xr.DataArray) -> tuple[Hashable, Hashable]:
    for y, x in (("y", "x"), ("latitude", "longitude"), ("lat", "lon"), ("row", "col")):
        if y in image.dims and x in image.dims:
            return y, x
    raise DataError(f"The image has the dimensions {_dims(image)}; expected y and x among them. "
                    "Rename them: image.rename(north='y', east='x').")


def _band_names(image: xr.DataArray) -> Sequence[str]:
    dim = image.dims[0]
    if dim in image.coords and image.coords[dim].dtype.kind in "OUT":
        return [str(name) for name in image.coords[dim].values]
    said = image.attrs.get("long_name")
    if isinstance(said, list | tuple) and len(said) == image.shape[0]:
        return [str(name) for name in said]
    raise BandError(f"The bands of the image ({_dims(image)}) have no names; pass bands=[…] with "
                    f"{image.shape[0]} names.")


def _chosen(names: Sequence[str], bands: Sequence[str | None], path: Path) -> list[str | None]:
    """Return the names of a store's variables, None for those that are not asked for."""
    wanted = canonical_all([band for band in bands or names if band is not None])
    if missing := [band for band in wanted if band not in {find(name) for name in names}]:
        raise BandError(f"{path} has no variable for the band {missing[0]}; it has "
                        f"{', '.join(names)}.")
    return [name if find(name) in wanted else None for name in names]


def _written(image: xr.DataArray, mask: xr.DataArray, store: str | Path | None) -> Path:
    """Return a Zarr store of image and mask, whole or not there."""
    digest = _digest(image, mask)
    if store is None:
        path = cache_dir() / "zarr" / f"{digest[:16]}.zarr"
    else:
        path = Path(store).expanduser().absolute()
    if path.exists():
        if open_store(path).attrs.get("workbench_sha256") != digest:
            raise DataError(f"{path} is there and holds something else. Give another store=, or "
                            "delete it.")
        return path
    facts = {"workbench_sha256": digest}
    y, x = image.dims[-2:]
    chunks = (*image.shape[:-2], _CHUNK, _CHUNK)
    times = dict.fromkeys(image.dims[1:-2], "time")
    image = image.rename(IMAGE).rename({image.dims[0]: "band", **times, y: "y", x: "x"})
    mask = mask.rename(MASK).rename({y: "y", x: "x"})
    with atomic_folder(path) as temporary, out_of_space_explained(path):
        _write(image, mask, chunks, facts, temporary)
    return path


def _write(image: xr.DataArray, mask: xr.DataArray, chunks: tuple[int, ...],
           facts: dict[str, str], folder: Path) -> None:
    """Write block by block, so that a lazy scene never is in memory whole."""
    import zarr

    whole = xr.Dataset(attrs=facts)
    whole = whole.assign_coords({dim: image.coords[dim] for dim in ("y", "x")
                                 if dim in image.coords})
    if dates := frame_dates(image):
        whole = whole.assign_coords(time=np.array(dates, "datetime64[ns]"))
    if image.rio.crs:
        whole = whole.rio.write_crs(image.rio.crs)
        whole = whole.rio.write_transform(image.rio.transform())
    nodata = image.rio.nodata
    whole.to_zarr(folder, mode="w", consolidated=False, zarr_format=3)
    group = zarr.open_group(str(folder), mode="a")
    for array, sides in ((image, chunks), (mask, chunks[-2:])):
        kept = group.create_array(str(array.name), shape=array.shape, chunks=sides,
                                  dtype=array.dtype, dimension_names=map(str, array.dims))
        if array.name == IMAGE and nodata is not None:
            kept.attrs["nodata"] = float(nodata)
        for top in range(0, array.sizes["y"], _ROWS):
            rows = slice(top, top + _ROWS)
            kept[..., rows, :] = array.isel(y=rows).values


def _digest(image: xr.DataArray, mask: xr.DataArray) -> str:
    digest = hashlib.sha256()
    for array in (image, mask):
        digest.update(repr((array.shape, str(array.dtype), array.rio.nodata)).encode())
        for top in range(0, array.shape[-2], _ROWS):
            block: npt.NDArray = array[..., top : top + _ROWS, :].values
            digest.update(np.ascontiguousarray(block).tobytes())
    crs = image.rio.crs
    place = image.rio.transform()[:6] if crs or image.dims[-2] in image.coords else ()
    digest.update(repr((crs and crs.to_wkt(), tuple(place))).encode())
    if dates := frame_dates(image):
        digest.update(repr(dates).encode())
    return digest.hexdigest()


def _names(scene: xr.Dataset) -> list[str]:
    return [str(name) for name in scene.data_vars]


def _dims(array: xr.DataArray) -> str:
    return ", ".join(f"{dim} {size}" for dim, size in array.sizes.items())
