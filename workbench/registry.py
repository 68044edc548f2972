"""Registries: a dict with a decorator, and "did you mean" for what is not there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from workbench.errors import unknown_name

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Names mapped to plug-ins of one kind, in order of registration.

    Attributes:
        kind: What a name names, in words.
    """

    def __init__(self, kind: str, listed_by: str) -> None:
        self.kind = kind
        self._listed_by = listed_by
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register `entry` under `name`; two entries of one name are our own mistake."""
        assert name not in self._entries, f"{self.kind} {name!r} is registered twice"
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated class or function under `name`."""
        return lambda entry: self.add(name, entry)

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise unknown_name(self.kind, name, self._entries, self._listed_by) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


def import_plugins(package: str, path: Iterable[str]) -> None:
    """Import every module of a plug-in folder, so that each registers itself.

    Modules whose name begins with an underscore are what plug-ins share, and are left out.
    Called at the end of the folder's `__init__` with its `__name__` and `__path__`.
    """
    for module in sorted(entry.name for entry in pkgutil.iter_modules(path)):
        if not module.startswith("_"):
            importlib.import_module(f"{package}.{module}")
