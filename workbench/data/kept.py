"""Indexes of one's own files, kept in the cache until a file changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas
from pydantic import ValidationError

from workbench.data.indexfile import facts_of, read_chips, write_chips
from workbench.data.info import DatasetInfo
from workbench.storage import cache_dir

# Raised when rows mean something else than before.
VERSION = 1
# A file that was written this recently may be written again without a sign: clocks of file systems
# tick once in up to two seconds. git guards its index in the same way.
_SETTLED_S = 2.0
# What GDAL reads beside a GeoTIFF: world files, statistics and CRS, a mask of what is valid.
_BESIDE = (".tfw", ".tifw", ".wld", ".aux.xml", ".tif.aux.xml", ".tiff.aux.xml", ".tif.msk",
           ".tiff.msk")

Index = tuple[DatasetInfo, geopandas.GeoDataFrame, dict[str, str]]


class KeptIndex:
    """What was found in files, as long as they are what they were.

    Args:
        files: The files that are read; of a VRT nobody knows what it reads, so nothing is kept.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        states = [] if any(file.suffix.lower() == ".vrt" for file in files) else list(
            _states(files))
        newest = max((time_ns for _, _, time_ns in states), default=0) / 1e9
        self._keeps = bool(states) and newest < time.time() - _SETTLED_S
        stamp = "\n".join(f"{path}|{size}|{time_ns}" for path, size, time_ns in states)
        self._stamp = {"version": VERSION, "files": hashlib.sha256(stamp.encode()).hexdigest()}

    def read(self, asked: str) -> Index | None:
        """Return facts, chips and what was left out; None where a file is new, changed or gone.

        Args:
            asked: All that decides the index, but for the files.
        """
        facts = facts_of(_path(asked)) if self._keeps else None
        if facts is None or facts.get("stamp") != self._stamp:
            return None
        chips = read_chips(_path(asked))
        try:
            info = DatasetInfo.model_validate(facts["info"])
        except (ValidationError, KeyError):
            return None
        return None if chips is None else (info, chips, dict(facts["skipped"]))

    def write(self, asked: str, index: Index) -> None:
        """Keep an index; a cache that cannot be written is no reason to fail."""
        info, chips, skipped = index
        if self._keeps:
            with contextlib.suppress(OSError):
                write_chips(_path(asked), chips, {
                    "stamp": self._stamp, "info": info.model_dump(mode="json"), "skipped": skipped,
                })  # fmt: skip


def _path(asked: str) -> Path:
    name = hashlib.sha256(asked.encode()).hexdigest()[:16]
    return cache_dir() / "indexes" / "files" / f"{name}.parquet"


def _states(files: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of each file, and of what GDAL reads beside it."""
    beside = {folder: _listed(folder) for folder in {file.parent for file in files}}
    for file in files:
        for name in (file.name, *(file.stem + suffix for suffix in _BESIDE)):
            if (entry := beside[file.parent].get(name)) is not None:
                facts = entry.stat()
                yield entry.path, facts.st_size, facts.st_mtime_ns


def _listed(folder: Path) -> dict[str, os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}
