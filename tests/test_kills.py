# ruff: noqa: F401, F811  (fixtures shared with tests/training)
"""kill -9 at twenty moments, some inside a checkpoint: what comes out is what would have come."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.training.conftest import (
    one_thread_and_random_weights,
    random_weights,
    recipe,
    same,
    split,
    tensors,
    without_clocks,
)
from workbench.events import WarningRaised
from workbench.fitting import fit
from workbench.runs import open_run
from workbench.runs.journal import EVENTS
from workbench.storage import read_json
from workbench.training import prepare

KILLS = 20
# Imports once, then forks a process for each folder that it reads; it opens no file of the data,
# because forked processes would share their positions in it.
SERVER = """
import os, sys, traceback
from pathlib import Path
import torch
torch.set_num_threads(1)
import peft, timm.models  # what takes seconds
from workbench.fitting.worker import train_and_score
from workbench.models import loading
from workbench.runs import Run
from workbench.runs.lock import Lock
loading.SHIPPED = Path(sys.argv[1])
for line in sys.stdin:
    folder = Path(line.strip())
    child = os.fork()
    if not child:
        try:
            train_and_score(Run(folder), Lock.take(folder), "cpu")
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Worker:
    """A process that trains run folders, each in a process of its own that can be killed."""

    def __init__(self, weights: Path) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, weights], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    def train(self, folder: Path, killed_when: Callable[[], bool] = lambda: False,
              by: signal.Signals = signal.SIGKILL) -> int:
        """Return the status of a process that trains, sent a signal once the condition holds."""
        self._server.stdin.write(f"{folder}\n")
        self._server.stdin.flush()
        child = int(self._server.stdout.readline())
        with contextlib.suppress(ProcessLookupError):  # it ended before
            while not killed_when():
                os.kill(child, 0)
                time.sleep(0.0005)
            os.kill(child, by)
        return int(self._server.stdout.readline())

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


@pytest.fixture(scope="module")
def worker(random_weights) -> Iterator[Worker]:
    with contextlib.closing(Worker(random_weights)) as worker:
        yield worker


def some_events_later(folder: Path, chance: random.Random) -> Callable[[], bool]:
    """Hold a moment after so many events; none at all is while the process starts."""
    more, delay_s = chance.randrange(9), chance.uniform(0, 0.03)
    wanted = lines(folder) + more
    when = None

    def holds() -> bool:
        nonlocal when
        if when is None and lines(folder) >= wanted:
            when = time.monotonic() + delay_s
        return when is not None and time.monotonic() >= when

    return holds


def lines(folder: Path) -> int:
    path = folder / EVENTS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def half_checkpoints(folder: Path) -> set[Path]:
    return set((folder / "checkpoints").glob(".*.tmp"))


def assert_equal(run, whole) -> None:
    assert without_clocks(run.events()) == without_clocks(whole.events())
    for name in ("best", "last"):
        assert same(tensors(run.checkpoint(name)), tensors(whole.checkpoint(name)))
    mine, its = (read_json(entry.checkpoint("last") / "progress.json") for entry in (run, whole))
    assert {**mine, "duration_s": 0, "epoch_s": 0} == {**its, "duration_s": 0, "epoch_s": 0}
    assert run.scores() == whole.scores()


@pytest.mark.slow
def test_killed_at_twenty_moments_and_resumed_equals_uninterrupted(
    split, recipe, tmp_path, worker
):
    whole = fit(recipe, split, root=tmp_path, name="whole", device="cpu")
    chance = random.Random(5)
    kills = inside_a_checkpoint = number = 0
    # On a busy machine a kill may come when the checkpoint is already whole: then there are more.
    while kills < KILLS or inside_a_checkpoint < 3:
        assert kills < 5 * KILLS
        number += 1
        folder = tmp_path / f"run {number}"
        prepare(recipe, split, folder, device="cpu").release()
        status = -1
        while status:
            left = half_checkpoints(folder)
            if kills >= KILLS and inside_a_checkpoint >= 3:
                status = worker.train(folder)
            elif kills % 3 == 2:
                status = worker.train(folder, lambda: bool(half_checkpoints(folder) - left))  # noqa: B023
                inside_a_checkpoint += bool(half_checkpoints(folder) - left)
            else:
                status = worker.train(folder, some_events_later(folder, chance))
            if status:
                assert os.WTERMSIG(status) == signal.SIGKILL
                kills += 1
                assert open_run(folder).state in ("killed", "finished")
        run = open_run(folder)
        assert run.state == "finished"
        assert_equal(run, whole)


@pytest.mark.slow
def test_a_dead_lock_is_taken_over_and_said(split, recipe, tmp_path, worker):
    folder = tmp_path / "run"
    prepare(recipe, split, folder, device="cpu").release()
    worker.train(folder, lambda: lines(folder) > 4)
    assert open_run(folder).state == "killed"
    assert worker.train(folder) == 0
    said = [event.message for event in open_run(folder).events()
            if isinstance(event, WarningRaised)]
    assert sum("was killed, or the machine ended; its lock was taken over" in entry
               for entry in said) == 1


@pytest.mark.slow
def test_a_process_that_the_system_asks_to_end_stops_with_its_checkpoint(
    split, recipe, tmp_path, worker
):
    folder = tmp_path / "run"
    prepare(recipe.but(epochs=100, patience=100), split, folder, device="cpu").release()
    assert worker.train(folder, lambda: lines(folder) > 8, by=signal.SIGTERM) == 0
    run = open_run(folder)
    assert run.state == "stopped"
    assert run.events()[-1].reason == "its process was asked to end"
    assert read_json(run.checkpoint("last") / "progress.json")["step"] == run.events()[-1].step
