"""Checkpoints: whole folders that replace each other with no moment in which none is readable.

A new `last` is written as `last.new`, the old one steps aside as `last.old`, then the new one
takes the name. Each of these names stands for a whole checkpoint at every moment, so a reader
takes the first that is there. (A symbolic link would be simpler, but network drives and
archives lose them.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from workbench.errors import RunError, WorkbenchError
from workbench.storage import atomic_folder, out_of_space_explained

CHECKPOINTS = "checkpoints"
_LOOKS = 10
T = TypeVar("T")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of the checkpoint `path` once it is written.

    Whatever fails or is killed inside leaves the old checkpoint whole.
    """
    new, old = _beside(path)
    if path.exists():
        _discard(new)
    elif new.exists() or old.exists():  # a writer was killed between its two renames
        os.replace(new if new.exists() else old, path)
    _discard(old)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    with atomic_folder(new) as temporary:
        yield temporary
    with out_of_space_explained(path):
        if path.exists():
            os.replace(path, old)
        os.replace(new, path)
    _discard(old)


def find(path: Path) -> Path | None:
    """Return where the checkpoint `path` stands now, None when there has never been one."""
    # Again and again: a writer may finish one replacement and begin another between two looks.
    for _ in range(_LOOKS):
        for place in (path, *_beside(path)):
            if place.exists():
                return place
        if not path.parent.exists():
            break
        time.sleep(0.002)
    return None


def read(path: Path, reader: Callable[[Path], T]) -> T:
    """Return `reader(folder)` of one and the same checkpoint, even while it is being replaced.

    Raises:
        RunError: There is no such checkpoint.
    """
    while True:
        place = find(path)
        if place is None:
            raise RunError(
                f"{path.parent.parent} has no checkpoint {path.name!r}: training has not reached "
                "the end of its first epoch. Wait for it, or start it again with wb.resume(run)."
            )
        identity = _identity(place)
        if identity is None:
            continue
        try:
            value = reader(place)
        except (OSError, WorkbenchError):
            if _identity(place) == identity:
                raise
            continue
        if _identity(place) == identity:
            return value


def _discard(folder: Path) -> None:
    """Delete a checkpoint that first loses its name: under its name it is whole or not there.

    A folder's time of change is no sign that a file has gone from it: clocks of file systems tick
    in milliseconds, several deletions fit into one.
    """
    if folder.exists():
        nameless = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
        os.replace(folder, nameless)
        shutil.rmtree(nameless, ignore_errors=True)


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        status = place.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.old")
