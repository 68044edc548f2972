"""A split that trains in a moment, and the weights that no test depends on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.conftest import (  # noqa: F401
    one_thread_and_random_weights,
    random_weights,
)
from workbench.data import Dataset, Split
from workbench.estimation import forecast
from workbench.estimation.problem import Problem
from workbench.recipe import Recipe


@pytest.fixture(scope="session")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture(scope="session", autouse=True)
def time_enough() -> Iterator[None]:
    """Give probes time enough on a busy machine too: what they find is tested, not how soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast, "PROBE_S", 120.0)
        yield


@pytest.fixture(autouse=True)
def features_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))


def problem(recipe: Recipe, side: int = 32) -> Problem:
    bands = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
    return Problem(recipe, 2, bands, (side, side))
