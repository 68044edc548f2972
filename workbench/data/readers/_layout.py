"""What layouts share: finding their folders below a root, and saying so where they are not."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path, PurePosixPath

from workbench.catalog import Collection
from workbench.data.readers import Found
from workbench.errors import DataError

_SHOWN = 6


def find_folder(root: Path, path: str, pattern: str) -> Path | None:
    """Return the folder `path` of `root`, where a name in it fits `pattern` (a regex).

    A root may also lie deeper: of `v1.1/data/S2Hand`, `data/S2Hand`, `S2Hand` and the root itself
    the first is taken that holds such a file.
    """
    parts = PurePosixPath(path).parts
    for start in range(len(parts) + 1):
        folder = root.joinpath(*parts[start:])
        if next(matching(folder, pattern), None):
            return folder
    return None


def matching(folder: Path, pattern: str) -> Iterator[re.Match[str]]:
    """Yield the matches of the names in a folder that fit `pattern` whole, in any order."""
    fits = re.compile(pattern)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if match := fits.fullmatch(entry.name):
                    yield match
    except (FileNotFoundError, NotADirectoryError):
        return


def wrong_root(root: Path, collection: Collection, expected: str) -> DataError:
    """Make the error for a root that is not the dataset: what was expected and what was found."""
    if not root.exists():
        found = "there is no such folder"
    elif not root.is_dir():
        found = "it is a file"
    else:
        names = sorted(entry.name for entry in os.scandir(root) if not entry.name.startswith("."))
        more = ", …" if len(names) > _SHOWN else ""
        found = f"found {', '.join(names[:_SHOWN]) + more if names else 'nothing'}"
    return DataError(
        f"{root} is not {collection.title}: expected {expected}, {found}. Pass the folder that "
        f"holds it as root=, or download it: workbench.download({collection.id!r}, root=…)."
    )


def one_each(found: Iterable[Found], only: Container[str] | None) -> list[Found]:
    """Return the chips that are looked for in order of their ids.

    Raises:
        DataError: Two files have the id of one chip; names both.
    """
    chips: dict[str, Found] = {}
    for chip in found:
        if only is not None and chip.chip_id not in only:
            continue
        other = chips.setdefault(chip.chip_id, chip)
        if other is not chip:
            raise DataError(
                f"{other.image} and {chip.image} are both the chip {chip.chip_id!r}. Remove one of "
                "them, or load a folder that holds only one."
            )
    return [chips[chip_id] for chip_id in sorted(chips)]
