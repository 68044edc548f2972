"""Splits that others published: lists of chips by part, fetched once and kept below the root."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.catalog import Collection, PublishedSplit
from workbench.catalog.fetching.transfer import Session
from workbench.data.readers import READERS
from workbench.errors import DataError, DownloadError, unknown_name


def find_split(collection: Collection, name: str | None) -> PublishedSplit:
    """Return a published split by its name; without one the first.

    Raises:
        UnknownNameError: The collection has none of that name.
        DataError: The collection has no published split.
    """
    if not collection.splits:
        raise DataError(f"No split of {collection.title} has been published.")
    name = next(iter(collection.splits)) if name is None else name
    if name not in collection.splits:
        listed_by = f"open_catalog()[{collection.id!r}].splits"
        raise unknown_name("published split", name, collection.splits, listed_by)
    return collection.splits[name]


def lists_folder(root: Path, split: PublishedSplit) -> Path:
    """Return where the lists of a split are kept: `<part>.txt`, one chip a line."""
    return root / ".workbench" / "lists" / split.name


def published_lists(collection: Collection, split: PublishedSplit, root: Path,
                    session: Session | None = None) -> dict[str, list[str]]:
    """Return the ids of a published split's chips by part; fetch lists that are not there.

    The dict is empty where the files themselves say which part a chip is in.

    Raises:
        DataError: A list that comes with the dataset is not there, or is empty.
        DownloadError: A list cannot be fetched; says where to put it by hand.
    """
    reader = READERS[collection.reader or "geotiff"]
    found = {}
    for part, source in split.lists.items():
        path = _local(source, part, root, split, session)
        lines = path.read_text(encoding="utf-8").splitlines()
        found[part] = [reader.listed(line.split(",")[0].strip()) for line in lines if line.strip()]
        if not found[part]:
            raise DataError(f"{path} is empty; expected the chips of {split.name!r}'s {part} part.")
    return found


def _local(source: str, part: str, root: Path, split: PublishedSplit,
           session: Session | None) -> Path:
    kept = lists_folder(root, split) / f"{part}.txt"
    if kept.is_file():
        return kept
    if "://" in source:
        try:
            with session or Session() as http:
                http.fetch(source, kept, size_bytes=None, checksum=None, report=lambda count: None)
        except DownloadError as error:
            raise DownloadError(
                f"{error} Or put the {part} list of {split.name!r} ({split.source}) there "
                f"yourself: {kept}."
            ) from error
        return kept
    parts = Path(source).parts
    for start in range(len(parts)):
        path = root.joinpath(*parts[start:])
        for file in (path, path.with_suffix(".txt")):
            if os.path.isfile(file):
                return file
    raise DataError(
        f"{root / source} is not there: the list of {split.name!r}'s {part} part. Download the "
        f"dataset again, or put the list there, or at {kept}."
    )
