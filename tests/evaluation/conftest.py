"""Scores made by hand, and real runs of spectral indices, which train in an instant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from workbench.data import Dataset, Split
from workbench.evaluation import Comparison, Scores, evaluate
from workbench.evaluation.entries import Entry
from workbench.recipe import SpectralIndex
from workbench.runs import Run
from workbench.training import train


def synthetic(name: str = "lora", *, skill: float = 1.5, seed: int = 0, test: int = 6,
              held_out: int = 1, clusters: int = 6, chips: int = 2, noise: int = 0,
              key: str | None = None, baseline: bool = False) -> Scores:
    """Scores on chips whose difficulty varies from place to place, alike for every run.

    Args:
        skill: Log-odds of finding water.
        test: Regions of the test part.
        held_out: Held-out regions.
        clusters: Clusters of a region.
        chips: Chips of a cluster.
        noise: Seed of what is this run's own luck.
    """
    regions = [f"r{n}" for n in range(test)] + [f"h{n}" for n in range(held_out)]
    rows, counts = [], []
    place, luck = np.random.default_rng(7), np.random.default_rng([noise, seed])
    for region in regions:
        for cluster in range(clusters):
            hard, water = place.normal(0, 0.5), place.uniform(0.1, 0.5)
            for chip in range(chips):
                own = luck.normal(0, 0.05)
                recall = 1 / (1 + np.exp(-(skill + hard + own)))
                false = 1 / (1 + np.exp(4 + hard))
                wet = round(1000 * water)
                hit, alarm = round(wet * recall), round((1000 - wet) * false)
                counts.append([[1000 - wet - alarm, alarm], [wet - hit, hit]])
                rows.append((f"{region}_{cluster}_{chip}",
                             "held_out" if region.startswith("h") else "test", region,
                             f"{region}/{cluster}", None))
    table = pd.DataFrame(rows, columns=["chip_id", "part", "region", "cluster", "date"])
    return Scores(
        run=name, method=f"tiny-{name}", baseline=baseline, seed=seed, recipe_key=key or name,
        trainable_parameters=1200, dataset="made up", simulated=True, classes=("land", "water"),
        chips=table.set_index("chip_id"), counts=np.array(counts, np.int64))  # fmt: skip


def placed(scores: Scores) -> Scores:
    """The same scores with a footprint and a date of every chip: one row of boxes a region."""
    regions = sorted(scores.chips["region"].unique())
    number = scores.chips.groupby("region").cumcount()
    shapes = [shapely.box(n, regions.index(region), n + 0.5, regions.index(region) + 0.5)
              for n, region in zip(number, scores.chips["region"], strict=True)]
    dates = [f"2020-{1 + n % 3:02d}-15" if n % 4 else None for n in number]
    chips = geopandas.GeoDataFrame(
        scores.chips.assign(date=dates, cloud=np.linspace(0, 1, len(shapes)),
                            sensor=np.where(number % 2, "A", "B")),
        geometry=shapes, crs="EPSG:4326")
    return dataclasses.replace(scores, chips=chips)


@pytest.fixture(scope="session")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


def trained(folder: Path, recipe: SpectralIndex, split: Split) -> Run:
    for _ in train(recipe, split, folder, device="cpu"):
        pass
    return Run(folder)


def two_seeds(runs: Sequence[Run]) -> Comparison:
    """Two runs as if they were one recipe trained with the seeds 3 and 4."""
    seeds = tuple(dataclasses.replace(evaluate(run), seed=seed)
                  for run, seed in zip(runs, (3, 4), strict=True))
    return Comparison([Entry("water ×2 seeds", seeds, tuple(runs), tuple(runs))], "region")


@pytest.fixture(scope="session")
def runs(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Run]:
    """NDWI, which is right about the tiny floods, and an NDWI that calls nothing water."""
    folder = tmp_path_factory.mktemp("runs")
    return [trained(folder / "ndwi", SpectralIndex(threshold=0.0), split),
            trained(folder / "never", SpectralIndex(threshold=1.0), split)]
