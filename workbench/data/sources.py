"""Opening datasets: by the name of a collection, or again from what a split remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.data.dataset import Dataset
from workbench.data.regions import regions_from_json
from workbench.errors import DataError


def open_dataset(source: Mapping[str, Any]) -> Dataset:
    """Open a dataset again from its `info.source`.

    Raises:
        DataError: The source is of no known kind, or its files are not there.
    """
    fields = dict(source)
    kind, bands = fields.pop("kind", None), fields.pop("select_bands", None)
    if kind == "folder":
        classes = {int(value): tuple(entry) for value, entry in fields.pop("classes").items()}
        region = regions_from_json(fields.pop("region"))
        dataset = Dataset.from_folder(**fields, classes=classes, region=region)
    elif kind == "collection":
        dataset = load(**fields)
    else:
        raise DataError(f"A dataset's source has kind {kind!r}; expected 'folder' or 'collection'.")
    return dataset.with_bands(bands) if bands else dataset


def load(collection: str = "simulated-floods", *, root: str | Path | None = None, seed: int = 0,
         progress: Callable[..., object] | None = None) -> Dataset:
    """Open a collection's chips, generating or downloading them the first time."""
    raise NotImplementedError(collection)
