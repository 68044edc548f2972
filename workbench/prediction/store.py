"""Finished blocks of a prediction on disk: an interrupted one goes on, a large one stays there."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from xarray.backends import BackendArray
from xarray.core import indexing

from workbench.errors import DataError, OutOfSpaceError
from workbench.prediction.result import empty
from workbench.reprs import readable_bytes
from workbench.storage import atomic_file, read_json, unwritable_explained, write_json

_PLAN = "plan.json"
Arrays = dict[str, npt.NDArray]


class Block(NamedTuple):
    """Rows from `top` to `bottom` and columns from `left` to `right`, finished together."""

    panel: int
    strip: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def file(self) -> str:
        """The name of its file in a store."""
        return f"block-{self.panel:04}-{self.strip:05}.npz"


class Memory:
    """Blocks in memory: whole arrays ``(run, y, x)``."""

    def __init__(self, names: Sequence[str], shape: tuple[int, int, int]) -> None:
        self.arrays: dict[str, Any] = {name: empty(name, shape) for name in names}
        self._carries: dict[Block, npt.NDArray] = {}

    def has(self, block: Block) -> bool:
        """Return whether a block is finished."""
        return block in self._carries

    def carry(self, block: Block) -> npt.NDArray:
        """Return what a block leaves for the panel to its right."""
        return self._carries[block]

    def write(self, block: Block, found: Arrays, carry: npt.NDArray) -> None:
        """Keep a finished block."""
        for name, values in found.items():
            self.arrays[name][:, block.top : block.bottom, block.left : block.right] = values
        self._carries[block] = carry


class Behind:
    """Has finished blocks kept by a thread, one at a time, while the model goes on.

    Memory holds two of them at most: the one that is being written and the one that is next.
    """

    def __init__(self, into: Memory | Store, writer: Executor) -> None:
        self.into, self.writer = into, writer
        self._waiting: Future[None] | None = None

    def write(self, block: Block, found: Sequence[Arrays], carries: Sequence[npt.NDArray]) -> None:
        """Keep a finished block, given strip by strip, once the one before it is.

        Raises:
            OutOfSpaceError: The disk was full for the one before it.
        """
        self.wait()
        self._waiting = self.writer.submit(self._keep, block, found, carries)

    def wait(self) -> None:
        """Wait until all blocks are kept.

        Raises:
            OutOfSpaceError: The disk is full.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.result()

    def _keep(self, block: Block, found: Sequence[Arrays],
              carries: Sequence[npt.NDArray]) -> None:
        whole = {name: np.concatenate([one[name] for one in found], axis=1) for name in found[0]}
        self.into.write(block, whole, np.concatenate(carries, axis=1))


class Store:
    """Blocks as files of a folder, each whole or not there.

    Args:
        folder: Where; None for a temporary one, deleted with the last array that reads it.
        plan: What the blocks are of. A folder with another plan is refused.
        names: What is predicted: `class`, `probability`, perhaps `entropy`.
        shape: ``(run, y, x)`` of the whole.
        blocks: All blocks.

    Raises:
        DataError: The folder holds another prediction.
        OutOfSpaceError: What is missing does not fit on the disk.
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any], names: Sequence[str],
                 shape: tuple[int, int, int], blocks: Sequence[Block]) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="workbench-prediction-"))
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.names, self.shape, self.blocks = tuple(names), shape, list(blocks)
        self._require_plan(json.loads(json.dumps(plan)))
        self._require_space()

    @property
    def arrays(self) -> dict[str, Any]:
        """The predictions as arrays that read what is asked for."""
        return {name: indexing.LazilyIndexedArray(_Lazy(self, name)) for name in self.names}

    def lock(self) -> FileLock:
        """Return the lock that its one writer holds."""
        return FileLock(self.folder / "lock")

    def has(self, block: Block) -> bool:
        """Return whether a block is finished and whole."""
        try:
            with zipfile.ZipFile(self.folder / block.file) as file:
                return {f"{name}.npy" for name in (*self.names, "carry")} <= set(file.namelist())
        except (OSError, zipfile.BadZipFile):
            return False

    def carry(self, block: Block) -> npt.NDArray:
        """Return what a block leaves for the panel to its right."""
        return self.read(block, "carry")

    def write(self, block: Block, found: Arrays, carry: npt.NDArray) -> None:
        """Keep a finished block; its file appears whole.

        Raises:
            OutOfSpaceError: The disk is full.
        """
        with atomic_file(self.folder / block.file) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, carry=carry, **found)

    def read(self, block: Block, name: str) -> npt.NDArray:
        """Return one array of a block.

        Raises:
            DataError: Its file has gone or is damaged.
        """
        try:
            with np.load(self.folder / block.file, allow_pickle=False) as file:
                return file[name]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.folder / block.file} has gone or is damaged, so this part of the "
                "prediction cannot be read. Run the same wb.predict call again: it predicts what "
                "is missing."
            ) from error

    def _require_plan(self, plan: dict[str, Any]) -> None:
        known = known_plan(self.folder)
        if known is None:
            if self.folder.exists() and not self.folder.is_dir():
                raise DataError(f"store={str(self.folder)!r} is a file; give a folder.")
            with unwritable_explained(f"store={str(self.folder)!r}", "Give another folder."):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_json(self.folder / _PLAN, plan)
            return
        differing = [key for key in plan if known.get(key) != plan[key]]
        if differing:
            key = differing[0]
            raise DataError(
                f"{self.folder} holds blocks of another prediction: its {key} is "
                f"{str(known.get(key))[:80]}, not {str(plan[key])[:80]}. Choose another folder, or "
                "delete this one."
            )

    def _require_space(self) -> None:
        missing = sum(block.bottom - block.top for block in self.blocks if not self.has(block))
        rows = sum(block.bottom - block.top for block in self.blocks)
        needed = self.nbytes * missing // max(rows, 1)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OutOfSpaceError(
                f"The prediction takes {readable_bytes(needed)} on the disk of {self.folder}, and "
                f"{readable_bytes(free)} are free. Free some space, or choose a folder on another "
                "disk: predict(…, store='/elsewhere')."
            )

    @property
    def nbytes(self) -> int:
        """Size of the whole prediction."""
        runs, height, width = self.shape
        return runs * height * width * bytes_a_pixel(self.names)


def known_plan(folder: Path) -> dict[str, Any] | None:
    """Return what the blocks of a folder are of; None where none have been begun."""
    path = folder / _PLAN
    return read_json(path) if path.exists() else None


def bytes_a_pixel(names: Sequence[str]) -> int:
    """Return the size of a pixel of one run."""
    return sum(1 if name == "class" else 4 for name in names)


class _Lazy(BackendArray):
    """One array of a store, read block by block where it is looked at."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self.shape = store.shape
        self.dtype = empty(name, (0,)).dtype
        self._block = functools.lru_cache(maxsize=8)(lambda block: store.read(block, name))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> npt.NDArray:
        runs, *places = (np.arange(size)[part] for size, part in zip(self.shape, key, strict=True))
        rows, columns = (np.atleast_1d(place) for place in places)
        run_key = key[0]
        found = empty(self.name, (len(np.atleast_1d(runs)), len(rows), len(columns)))
        for block in self.store.blocks:
            down = np.flatnonzero((rows >= block.top) & (rows < block.bottom))
            across = np.flatnonzero((columns >= block.left) & (columns < block.right))
            if len(down) and len(across):
                values = self._block(block)[np.atleast_1d(runs)]
                part = values[:, rows[down] - block.top][:, :, columns[across] - block.left]
                found[:, down[0] : down[-1] + 1, across[0] : across[-1] + 1] = part
        drop = tuple(0 if isinstance(part, (int, np.integer)) else slice(None)
                     for part in (run_key, *key[1:]))
        return found[drop]

    def __reduce__(self) -> tuple[Any, ...]:
        return _Lazy, (self.store, self.name)

    def __deepcopy__(self, memo: object) -> _Lazy:
        return self  # nothing in it changes
