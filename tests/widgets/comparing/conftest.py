"""Two runs that train in an instant, scored: one right about the tiny floods, one always land."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.evaluation.conftest import trained
from workbench.evaluation import evaluate
from workbench.evaluation.atlas import Atlas
from workbench.recipe import SpectralIndex
from workbench.runs import Run


@pytest.fixture(scope="session")
def runs(tiny_floods, tmp_path_factory) -> Sequence[Run]:
    folder, split = tmp_path_factory.mktemp("runs"), tiny_floods.split(hold_out=["bolivia"])
    found = [trained(folder / "ndwi", SpectralIndex(threshold=0.0), split),
             trained(folder / "never", SpectralIndex(threshold=1.0), split)]
    for run in found:
        evaluate(run)
    return found


@pytest.fixture(scope="session")
def atlas(runs) -> Atlas:
    return Atlas(runs)
