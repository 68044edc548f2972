"""Events and tables to draw, made by hand: no training, no simulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from workbench.events import EpochDone, Event, RunFinished, RunStarted, StepDone
from workbench.plots import regions

EventsMaker = Callable[..., list[Event]]


@pytest.fixture
def make_events() -> EventsMaker:
    """Make the events of a run of `epochs` epochs with four steps each."""

    def make(epochs: int = 3, loss: float = 1.0) -> list[Event]:
        events: list[Event] = [RunStarted(epochs=epochs, steps_per_epoch=4, device="cpu",
                                          trainable_parameters=10, total_parameters=100)]
        for epoch in range(epochs):
            for step in range(epoch * 4 + 1, epoch * 4 + 5):
                events.append(StepDone(step=step, epoch=epoch, loss=loss / step, lr=1e-3,
                                       samples_per_s=8.0, host_rss_bytes=10**9, eta_s=61.0))
            score = 0.5 + 0.1 * epoch
            events.append(EpochDone(
                step=step, epoch=epoch, train_loss=loss / step, val_loss=loss / step + 0.1,
                val_miou=score, val_miou_by_region={"ghana": score - 0.1, "spain": None},
                lr=1e-3, best=True, duration_s=1.0))
        events.append(RunFinished(step=step, epoch=epochs - 1, reason="all epochs done",
                                  best_epoch=epochs - 1, duration_s=75.0,
                                  peak_host_rss_bytes=10**9))
        return events

    return make


@pytest.fixture
def scores() -> pd.DataFrame:
    """Two runs and a baseline in two regions and a held-out one, spain without intervals."""
    rows = []
    for run, baseline, score in (("lora", False, 0.8), ("full", False, 0.75), ("ndwi", True, 0.6)):
        for region, part, drop in (("in region", "in region", 0.0), ("held out", "held out", 0.1),
                                   ("Ghana", "in region", -0.02), ("Spain", "in region", 0.03),
                                   ("Bolivia", "held out", 0.1)):
            miou = score - drop
            half = np.nan if region == "Spain" else 0.05
            rows.append((run, baseline, region, part, miou, miou - half, miou + half))
    return pd.DataFrame(rows, columns=regions.COLUMNS)
