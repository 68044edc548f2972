"""Run folders written by hand, event by event: no training."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from workbench.data import Dataset
from workbench.events import EpochDone, Event, RunFinished, RunStarted, StepDone
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create
from workbench.runs.journal import EVENTS, JournalWriter
from workbench.runs.preview import Preview, write_preview

RunMaker = Callable[..., Run]


def started(epochs: int = 3, steps: int = 4) -> RunStarted:
    return RunStarted(epochs=epochs, steps_per_epoch=steps, device="cpu", time=1000.0,
                      trainable_parameters=1200, total_parameters=3_100_000)


def step(number: int, steps: int = 4, **changes: object) -> StepDone:
    facts = dict(loss=1 / number, lr=1e-3, samples_per_s=8.0, host_rss_bytes=10**9, eta_s=61.0,
                 time=1000.0 + number)
    return StepDone(step=number, epoch=(number - 1) // steps, **{**facts, **changes})


def epoch(number: int, miou: float | None = 0.5, steps: int = 4, **changes: object) -> EpochDone:
    facts = dict(train_loss=0.5, val_loss=0.4, val_miou_by_region={"ghana": miou, "spain": None},
                 val_iou_by_class={"land": 0.9, "water": None}, lr=1e-3, best=True,
                 duration_s=2.0, eta_s=30.0)
    return EpochDone(step=steps * (number + 1), epoch=number, val_miou=miou,
                     time=1000.5 + steps * (number + 1), **{**facts, **changes})


# A run of two epochs, from its start to its end.
DONE = (started(), *map(step, range(1, 5)), epoch(0), *map(step, range(5, 9)), epoch(1, 0.6),
        RunFinished(reason="all 2 epochs are done", best_epoch=1, duration_s=9.0,
                    peak_host_rss_bytes=1))


def write(run: Run, *events: Event) -> None:
    with JournalWriter(run.folder / EVENTS) as journal:
        for event in events:
            journal.append(event)


def preview(run: Run, number: int = 0) -> None:
    label = np.tile(np.eye(8, dtype=np.int16), (2, 1, 1))
    write_preview(run.folder, Preview(
        epoch=number, chip_ids=np.array(["ghana_1", "spain_1"]),
        regions=np.array(["ghana", "spain"]), bands=np.array(["RED", "GREEN", "BLUE"]),
        image=np.full((2, 3, 8, 8), 0.1, np.float16), label=label, prediction=label))


def joined(widget: Any, part: str, place: int = 0) -> list[Any]:
    """Put the two parts of a curve together as the browser does."""
    base, tail = getattr(widget, f"base{place}"), getattr(widget, f"tail{place}")
    return base[part][: tail[f"{part}_from"]] + tail[part]


def until(true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def make_run(tiny_floods: Dataset, tmp_path: Path) -> RunMaker:
    """Make a run folder with the events given; nobody trains it."""

    def make(*events: Event, name: str = "lora") -> Run:
        folder = tmp_path / "runs" / name
        create(folder, SpectralIndex(), tiny_floods.split(hold_out=["bolivia"]),
               {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
        run = Run(folder)
        write(run, *events)
        return run

    return make


@pytest.fixture
def displayed(tmp_path, monkeypatch):
    """What IPython is asked to display, by what passes for a kernel's shell."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()
