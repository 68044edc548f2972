"""From stored values to physical units and class indices."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo
from workbench.data.readers import READERS
from workbench.errors import LabelError

_UNKNOWN = -2

ValueClasses = tuple[tuple[int, int], ...]
Pixels = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def read_pixels(info: DatasetInfo, image_path: str, mask_path: str, window: ChipWindow) -> Pixels:
    """Read one chip: image ``(band, [time,] y, x)``, mask and valid ``(y, x)`` as in `Sample`.

    Windows smaller than a chip are padded at the right and lower side with pixels not valid.

    Raises:
        DataError: A file cannot be read.
        LabelError: The mask holds a value that is neither a class nor a no-label value.
    """
    reader = READERS[info.reader]
    stored, nodata = reader.read_image(image_path, window, info.bands, info)
    valid = valid_pixels(stored, nodata if info.nodata is None else info.nodata)

    labels, no_label = reader.read_labels(mask_path, window, info)
    mask = class_indices(labels, info, no_label, mask_path)
    mask[~valid] = -1

    image = stored.astype(np.float32)
    if info.scale != 1.0 or info.offset != 0.0:
        image *= np.float32(info.scale)
        image += np.float32(info.offset)
    image[..., ~valid] = np.nan
    return _padded(image, np.nan, info), _padded(mask, -1, info), _padded(valid, False, info)


def valid_pixels(stored: npt.NDArray, nodata: float | None) -> npt.NDArray[np.bool_]:
    """Return where every band of every date holds a finite value that is not `nodata`.

    Args:
        stored: ``(band, y, x)`` or ``(band, time, y, x)``.
        nodata: The value of missing pixels.
    """
    layers = stored.reshape(-1, *stored.shape[-2:])
    valid = np.ones(layers.shape[1:], bool)
    if stored.dtype.kind == "f":
        # Writers that declare no nodata often leave the largest float, 3.4e38, for it.
        valid &= (np.abs(layers) < 1e30).all(0)
    if nodata is not None and not np.isnan(nodata):
        valid &= (layers != nodata).all(0)
    return valid


def class_indices(labels: npt.NDArray, info: DatasetInfo, file_nodata: float | None,
                  path: str) -> npt.NDArray[np.int64]:
    """Return class indices ``(y, x)`` int64, -1 where there is no label.

    No label is: a value of `info.no_label`, NaN or infinity, and what the file itself calls
    nodata, unless that value is a class (many writers declare 0 as nodata without meaning it).

    Raises:
        LabelError: Other values; names them, the file and what was expected.
    """
    nodata = () if file_nodata is None else (file_nodata,)
    said = info.value_classes, (*info.no_label, *nodata)
    if labels.dtype.kind in "iu" and labels.dtype.itemsize <= 2:
        # Of so few possible values all are looked at once; then each pixel is one look-up.
        unsigned = labels.view(f"u{labels.dtype.itemsize}")
        indices: npt.NDArray[np.int64] = _table(labels.dtype.str, *said)[unsigned]
    else:
        indices = _indices(labels, *said)
    unknown = indices == _UNKNOWN
    if unknown.any():
        raise _unknown_labels(np.unique(labels[unknown]), info, path)
    return indices


@functools.lru_cache(maxsize=16)
def _table(dtype: str, classes: ValueClasses, no_label: tuple[float, ...]) -> npt.NDArray:
    """Return the class index of every value of an integer type, in the order of its bits."""
    size = np.dtype(dtype).itemsize
    values = np.arange(256**size, dtype=f"u{size}").view(dtype)
    return _indices(values, classes, no_label)


def _indices(labels: npt.NDArray, classes: ValueClasses, no_label: tuple[float, ...],
             ) -> npt.NDArray[np.int64]:
    """Return class indices, -1 where there is no label, `_UNKNOWN` for values that mean neither."""
    indices = np.full(labels.shape, _UNKNOWN, np.int64)
    if labels.dtype.kind == "f":
        indices[~np.isfinite(labels)] = -1
    for value in no_label:
        indices[labels == value] = -1
    for value, index in classes:
        indices[labels == value] = index
    return indices


def _unknown_labels(found: npt.NDArray, info: DatasetInfo, path: str) -> LabelError:
    values = ", ".join(f"{value:g}" for value in found[:8]) + (", …" if len(found) > 8 else "")
    named = [(value, "no label" if index < 0 else info.classes[index].name)
             for value, index in info.value_classes]
    classes = ", ".join(f"{value} {name}" for value, name in named)
    mapping = ", ".join(f"{value}: {name!r}" for value, name in named)
    remedy = (
        f"If it means no label, pass no_label={(*info.no_label, int(found[0]))}; if it is a class, "
        f"pass classes={{{mapping}, {found[0]:g}: '…'}}."
    )
    if any(value != int(value) for value in found.tolist()):
        remedy = "Write the classes as whole numbers."
    return LabelError(
        f"{path} holds {values}, which is neither a class ({classes}) nor a no-label value "
        f"({', '.join(map(str, info.no_label)) or 'none given'}). {remedy}"
    )


def _padded(pixels: npt.NDArray, fill: float, info: DatasetInfo) -> npt.NDArray:
    height, width = pixels.shape[-2:]
    if (height, width) == info.chip_shape:
        return pixels
    padded = np.full((*pixels.shape[:-2], *info.chip_shape), fill, pixels.dtype)
    padded[..., :height, :width] = pixels
    return padded
