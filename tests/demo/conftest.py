"""A demo on tiny data, run once, and comparisons made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.data import Dataset
from workbench.demo import run_demo
from workbench.evaluation import Comparison, Scores, compare


@pytest.fixture(scope="session")
def demo_folder(tiny_floods: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished demo on 24 chips, one epoch each."""
    folder = tmp_path_factory.mktemp("demo") / "floods"
    run_demo(folder, dataset=tiny_floods, epochs=1, device="cpu")
    return folder


def made_scores(run: str, right: float, *, baseline: bool = False, clusters: int = 12) -> Scores:
    """Make scores of a run that is right on about this share of the held-out pixels."""
    names = [f"test-{place}" for place in range(10)] + [f"held-{k}" for k in range(clusters)]
    chips = pd.DataFrame({
        "part": ["test"] * 10 + ["held_out"] * clusters,
        "region": [f"region-{place}" for place in range(10)] + ["bolivia"] * clusters,
        "cluster": names, "date": "2018-02-15",
    }, index=pd.Index(names, name="chip_id"))  # fmt: skip
    wobble = 15 * (-1) ** np.arange(len(chips))
    hits = (1000 * right + wobble).astype(np.int64)
    counts = np.empty((len(chips), 2, 2), np.int64)
    counts[:, 0, 0] = counts[:, 1, 1] = hits
    counts[:, 0, 1] = counts[:, 1, 0] = 1000 - hits
    return Scores(
        run=run, method=run, baseline=baseline, seed=0, recipe_key=run, trainable_parameters=10,
        dataset="floods", simulated=True, classes=("land", "water"), chips=chips, counts=counts)


@pytest.fixture
def comparison() -> Callable[..., Comparison]:
    """Compare LoRA, full fine-tuning and two baselines of given quality."""

    def make(lora: float, full: float, unet: float, ndwi: float, clusters: int = 12) -> Comparison:
        return compare([
            made_scores("lora", lora, clusters=clusters),
            made_scores("full", full, clusters=clusters),
            made_scores("unet-scratch", unet, baseline=True, clusters=clusters),
            made_scores("ndwi-0", ndwi, baseline=True, clusters=clusters),
        ])

    return make
