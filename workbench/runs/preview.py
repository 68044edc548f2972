"""preview.npz: a few validation chips with what the model makes of them, new each epoch."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workbench.storage import atomic_file

PREVIEW = "preview.npz"


@dataclass(frozen=True, eq=False)
class Preview:
    """The same few chips of the training regions' validation part, N of them, after an epoch.

    Attributes:
        epoch: The epoch whose weights predicted, from 0.
        chip_ids: Text ``(N,)``.
        regions: Text ``(N,)``.
        bands: Text ``(band,)``: red, green and blue where the dataset has them.
        image: float16 ``(N, band, y, x)`` in physical units, NaN where not valid.
        label: int16 ``(N, y, x)``, class index; -1 where there is no label.
        prediction: int16 ``(N, y, x)``, class index.
    """

    epoch: int
    chip_ids: npt.NDArray[np.str_]
    regions: npt.NDArray[np.str_]
    bands: npt.NDArray[np.str_]
    image: npt.NDArray[np.float16]
    label: npt.NDArray[np.int16]
    prediction: npt.NDArray[np.int16]

    def __len__(self) -> int:
        """Return the number of chips."""
        return len(self.chip_ids)


def write_preview(folder: Path, preview: Preview) -> None:
    """Write a preview into a run folder, whole or not at all."""
    with atomic_file(folder / PREVIEW) as temporary:
        np.savez(temporary, **vars(preview))


def read_preview(folder: Path) -> Preview | None:
    """Return the newest preview of a run folder, None before the end of the first epoch."""
    try:
        with open(folder / PREVIEW, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {field.name: file[field.name] for field in fields(Preview)}
    # None yet, or foreign or damaged; an empty file ends too early.
    except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError):
        return None
    return Preview(**{**arrays, "epoch": int(arrays["epoch"])})
