"""Predictions of many sources, each made when it is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from workbench.errors import DataError, unknown_name
from workbench.prediction.sources import AnySource, require_source


class Planned(NamedTuple):
    """What a prediction takes.

    Attributes:
        windows: How many there are.
        stamp: What changes when its pixels would: source, weights or options. It is the attribute
            `stamp` of the prediction and a tag of its GeoTIFF; None where nobody can tell.
    """

    windows: int
    stamp: str | None


class Predictions(Mapping[str, xr.Dataset]):
    """A mapping of name to prediction; what is looked up is predicted then, and not kept.

    Args:
        makers: What predicts each source.
        planners: What opens each source and says what its prediction takes.
        what: What the sources are, for people.
    """

    def __init__(self, makers: Mapping[str, Callable[[], xr.Dataset]],
                 planners: Mapping[str, Callable[[], Planned]], what: str) -> None:
        self._makers, self._planners, self._what = dict(makers), dict(planners), what

    def planned(self) -> dict[str, Planned]:
        """Open every source and return what each prediction takes; nothing is predicted.

        What cannot be predicted is so told before anything is; see `wb.predict` for the errors.
        """
        return {name: plan() for name, plan in self._planners.items()}

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
        DataError: There is none, two have one name, or one can be no source.
    """
    if isinstance(sources, Mapping):
        for source in sources.values():
            require_source(source)
        return dict(sources)
    named: dict[str, AnySource] = {}
    for number, source in enumerate(sources):
        require_source(source)
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
