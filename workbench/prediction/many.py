"""Predictions of many sources, each made when it is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import xarray as xr

from workbench.errors import DataError, unknown_name
from workbench.prediction.sources import AnySource


class Predictions(Mapping[str, xr.Dataset]):
    """A mapping of name to prediction; what is looked up is predicted then, and not kept.

    Args:
        makers: What predicts each source.
        what: What the sources are, for people.
    """

    def __init__(self, makers: Mapping[str, Callable[[], xr.Dataset]], what: str) -> None:
        self._makers, self._what = dict(makers), what

    def __getitem__(self, name: str) -> xr.Dataset:
        if name not in self._makers:
            raise KeyError(str(unknown_name("source", name, self._makers, "list(predictions)")))
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __repr__(self) -> str:
        names = ", ".join([*list(self)[:5], *(["…"] if len(self) > 5 else [])])
        return f"Predictions of {self._what}, each made when it is looked up: {names}"


def source_names(sources: Mapping[str, AnySource] | Iterable[AnySource]) -> dict[str, AnySource]:
    """Return sources by name: the keys of a mapping, paths as they are given, names of arrays.

    Raises:
        DataError: There is none, or two have one name.
    """
    if isinstance(sources, Mapping):
        return dict(sources)
    named: dict[str, AnySource] = {}
    for number, source in enumerate(sources):
        if isinstance(source, (str, Path)):
            name = str(source)
        else:
            name = str(getattr(source, "name", None) or f"source {number}")
        if name in named:
            raise DataError(f"Two sources are called {name!r}. Name them with a mapping: "
                            "wb.predict(run, {'north': …, 'south': …}).")
        named[name] = source
    if not named:
        raise DataError("There is nothing to predict: the list of sources is empty.")
    return named
