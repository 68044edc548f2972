"""What a Workbench keeps beside its runs, as plain data in a file that one kernel writes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field, ValidationError

from workbench.catalog import Collection
from workbench.data import Dataset, Split
from workbench.data.sources import open_dataset
from workbench.errors import WorkbenchError
from workbench.options import explain
from workbench.storage import read_json, write_json
from workbench.widgets.app.session import STEPS
from workbench.widgets.picker import Source
from workbench.widgets.picker.plan import Picked, Plan


class Waiting(BaseModel):
    """A training whose turn has not come: its recipe, and the name of its split."""

    recipe: dict[str, Any]
    split: str


class Kept(BaseModel):
    """What is kept, as plain data.

    Attributes:
        format: Raised when the rest means something else than before.
        process: Who wrote it.
        step: The step that was open.
        recipe: What would be trained next.
        chosen: Names of the runs that were ticked.
        begun: What the map was begun with; see `begun_with`.
        data: What was open on the map; see `picked_to_json`.
        launched: Names of the runs that were trained there.
        waiting: What was to be trained after them.
        splits: What that is trained on, by name.
    """

    format: Literal[1] = 1
    process: int = Field(default_factory=os.getpid)
    step: str = Field("data", pattern=f"^({'|'.join(STEPS)})$")
    recipe: dict[str, Any]
    chosen: tuple[str, ...] = ()
    begun: str = ""
    data: dict[str, Any] | None = None
    launched: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    splits: dict[str, dict[str, Any]] = {}


class StateFile:
    """A file in the folder of runs; the kernel that holds its lock writes it.

    Args:
        root: Folder of the runs.
        key: The name of what is kept; each has a file of its own.

    Attributes:
        path: The file; there is none before something is kept.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.path = root / f".{quote(key, safe='')}.json"
        self._lock = FileLock(self.path.with_suffix(".lock"), thread_local=False)

    def claim(self) -> bool:
        """Take the file; return whether it is ours, and not another kernel's.

        Raises:
            OSError: The folder cannot be written.
        """
        if not self._lock.is_locked:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
            except NotImplementedError:  # a file system without locks: nobody can tell
                return True
        return True

    def release(self) -> None:
        """Leave the file to others, as the end of the kernel does."""
        self._lock.release()

    def read(self) -> Kept | None:
        """Return what was kept, None where nothing was.

        Raises:
            WorkbenchError: It is not what this version of the workbench writes.
        """
        if not self.path.exists():
            return None
        try:
            return Kept.model_validate(read_json(self.path))
        except ValidationError as error:
            raise WorkbenchError(f"{self.path}: {explain(Kept, error)}") from None

    def put_aside(self) -> Path:
        """Rename the file, so that it is not written over, and return where it is."""
        return self.path.replace(self.path.with_suffix(".unread.json"))

    def write(self, kept: Kept) -> None:
        """Write what is to be kept."""
        write_json(self.path, kept.model_dump(mode="json"))


def picked_to_json(picked: Picked) -> dict[str, Any]:
    """Return what is open on the map as plain data."""
    source = picked.plan.source
    return {
        "collection": picked.collection, "source": source.info.source,
        # What was chosen of a dataset before it was given, its source does not say.
        "chips": None if picked.collection else list(source),
        "layout": source.layout_hash, "hash": source.hash,
        "plan": picked.plan.to_json(), "split": digest(picked.plan.split),
    }  # fmt: skip


def picked_from_json(kept: Mapping[str, Any], given: Dataset | None) -> tuple[Picked, bool]:
    """Open the data again; return them, and whether they, or their split, are others than before.

    Args:
        kept: What `picked_to_json` returned.
        given: The dataset, where it is at hand.
    """
    dataset = given
    if dataset is None:
        dataset = open_dataset(kept["source"])
        if kept["chips"] is not None:
            dataset = dataset.select([chip for chip in kept["chips"] if chip in dataset])
    picked = Picked(kept["collection"], Plan.from_json(kept["plan"], dataset))
    now = (dataset.hash, digest(picked.plan.split))
    return picked, now != (kept["hash"], kept["split"])


def begun_with(source: Source | None) -> str:
    """Return what tells one source of a map from another; empty for what holds all data."""
    if isinstance(source, Collection):
        return source.id
    if isinstance(source, Dataset):
        return source.layout_hash
    return digest(source) if isinstance(source, Split) else ""


@lru_cache(maxsize=16)
def digest(split: Split) -> str:
    """Return a name for a split: which data it deals out, and how."""
    text = json.dumps([split.dataset.info.source, split.parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=16)
def split_to_json(split: Split) -> dict[str, Any]:
    """Return what `Split.to_json` does, once for each split."""
    return split.to_json()
