"""Tensors of one key on disk: each whole or not there, shared by all processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import weakref
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from workbench.reprs import readable_bytes
from workbench.storage import features_dir, write_json
from workbench.training.features import space

_CHECKSUM = "crc32"


class FeatureStore:
    """What a frozen network made of its inputs, below the user's cache folder.

    A name stands for one value and no other, so it does not matter who writes it first; several
    processes and threads may read and write at once. What cannot be kept is simply not there: a
    full disk, a spent budget or a damaged file never is an error.

    Args:
        key: Everything that all values follow from and that their names do not say; plain data.
        root: Where the features of all keys are.
        budget_bytes: How much the features of all keys may take.

    Attributes:
        folder: The folder of this key.
        budget_bytes: As given, else what `space.budget_bytes` says.
        size_bytes: Size of the values of this key.
        full: Whether something was not kept for lack of budget.
        problem: Why nothing can be written, in words; None while all is well.
    """

    def __init__(self, key: Mapping[str, Any], *, root: Path | None = None,
                 budget_bytes: int | None = None) -> None:
        self._root = features_dir() if root is None else root
        self.folder = self._root / _digest(json.dumps(key, sort_keys=True))
        self.budget_bytes = space.budget_bytes(self._root) if budget_bytes is None else budget_bytes
        self.size_bytes = 0
        self.full = False
        self.problem: str | None = None
        self._checked: set[str] = set()
        self._crowded = False
        self._unseen = 0
        self._lock = threading.Lock()
        self._release: Callable[[], object] = lambda: None
        if self.budget_bytes:
            self._open(key)

    def _open(self, key: Mapping[str, Any]) -> None:
        try:
            self._release = weakref.finalize(self, space.release, space.hold(self.folder))
            if not (self.folder / "key.json").exists():
                write_json(self.folder / "key.json", key)
        except OSError as error:
            self.problem = self._explained(error)
        self.size_bytes = space.used_bytes(self.folder)
        self._total = space.used_bytes(self._root)

    def get(self, name: str) -> dict[str, Tensor] | None:
        """Return what was kept under a name, mapped from its file; None where there is nothing."""
        path = self._path(name)
        try:
            with safe_open(path, "pt") as file:
                said = file.metadata() or {}
                names = file.keys()
                tensors = {entry: file.get_tensor(entry) for entry in names}
            # Once a process is enough: from then on it reads no more than it needs.
            if name not in self._checked and said.get(_CHECKSUM) != _checksum(tensors):
                raise SafetensorError("checksum")
        except SafetensorError:
            self._drop(path)
            return None
        except OSError:
            return None
        self._checked.add(name)
        return tensors

    @property
    def keeps(self) -> bool:
        """Whether there is any use in `put`."""
        return bool(self.budget_bytes) and self.problem is None

    def put(self, name: str, tensors: Mapping[str, Tensor], *, leaving: int = 0) -> None:
        """Keep a value where the budget allows.

        Args:
            name: What it is found under.
            tensors: On the CPU.
            leaving: Keep it only if so many more of its size would find room.
        """
        path = self._path(name)
        if not self.keeps or path.exists():
            return
        whole = {entry: tensor.contiguous() for entry, tensor in tensors.items()}
        data = safetensors.torch.save(whole, {_CHECKSUM: _checksum(whole)})
        if not self._reserve(len(data), leaving * len(data)):
            return
        try:
            space.write_whole(self.folder, path, data)
        except OSError as error:
            self.problem = self._explained(error)
        else:
            self._checked.add(name)

    def close(self) -> None:
        """Say that these features are no longer in use; the end of the process says it too."""
        self._release()

    def _reserve(self, size: int, spare: int) -> bool:
        """Count a value that is about to be written; False where it does not fit."""
        with self._lock:
            # Other processes write too: look again after every twentieth of the budget.
            if self._unseen > self.budget_bytes // 20:
                self._total, self._unseen = space.used_bytes(self._root), 0
            room = self.budget_bytes - size - spare
            if self._total > room and not self._crowded:
                self._total = space.make_room(self._root, room)
                self._crowded = self._total > room
            if self._total > room:
                self.full = True
                return False
            self._total += size
            self._unseen += size
            self.size_bytes += size
            return True

    def _path(self, name: str) -> Path:
        # A folder of many thousand files is slow on some systems; 256 share them.
        digest = _digest(name)
        return self.folder / digest[:2] / f"{digest[2:]}.safetensors"

    def _drop(self, path: Path) -> None:
        """Delete a damaged file, so that its value is written anew."""
        with contextlib.suppress(OSError):
            path.unlink()

    def _explained(self, error: OSError) -> str:
        return (
            f"Features cannot be kept in {self.folder} ({os.strerror(error.errno or 0)}); those "
            "that are not there are computed every time. Free some space (`workbench doctor` shows "
            "the caches), or set WORKBENCH_CACHE to a folder on another disk."
        )

    def __repr__(self) -> str:
        of = readable_bytes(self.budget_bytes)
        return f"FeatureStore({str(self.folder)!r}, {readable_bytes(self.size_bytes)} of {of})"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    checksum = 0
    for entry in sorted(tensors):
        checksum = zlib.crc32(tensors[entry].numpy().data.cast("B"), checksum)
    return f"{checksum:08x}"
