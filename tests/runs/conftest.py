"""A run folder without a training: what `create` writes, and events by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.data import Dataset, Split
from workbench.events import EpochDone, Event, RunFinished, RunStarted, StepDone
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create
from workbench.runs.journal import EVENTS, JournalWriter


@pytest.fixture(scope="session")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture
def run(tmp_path: Path, split: Split) -> Run:
    """A run that was created and never trained."""
    folder = tmp_path / "runs" / "index"
    create(folder, SpectralIndex(), split, {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
    return Run(folder)


def write(run: Run, *events: Event) -> None:
    with JournalWriter(run.folder / EVENTS) as journal:
        for event in events:
            journal.append(event)


def started() -> RunStarted:
    return RunStarted(
        epochs=2, steps_per_epoch=2, device="cpu", trainable_parameters=1200,
        total_parameters=3_100_000,
    )


def step(number: int, loss: float = 0.5) -> StepDone:
    return StepDone(
        step=number, epoch=(number - 1) // 2, loss=loss, lr=1e-3, samples_per_s=10.0,
        host_rss_bytes=500_000_000,
    )


def epoch(number: int, val_miou: float | None = 0.5) -> EpochDone:
    return EpochDone(
        step=2 * (number + 1), epoch=number, train_loss=0.5, val_loss=0.4, val_miou=val_miou,
        val_miou_by_region={"ghana": val_miou}, val_iou_by_class={"land": 0.8, "water": 0.2},
        lr=1e-3, best=True, duration_s=2.0,
    )


def finished() -> RunFinished:
    return RunFinished(
        step=4, epoch=2, reason="all 2 epochs are done", best_epoch=1, duration_s=4.0,
        peak_host_rss_bytes=600_000_000,
    )
