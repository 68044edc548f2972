"""Pausing and stopping; a pause shows in no number but the clock on the wall."""

from __future__ import annotations

import platform
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import psutil
import pytest
import torch

from tests.training.conftest import same, tensors, without_clocks
from workbench.events import EpochDone, RunPaused, RunUnpaused, StepDone
from workbench.runs import control as requests
from workbench.runs import open_run
from workbench.training import Control, train

PAUSE_S = 0.6


@pytest.fixture(scope="module")
def whole(split, recipe, tmp_path_factory, one_thread_and_random_weights):
    """The run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    list(train(recipe, split, folder))
    return open_run(folder)


def wishing(events, folder, wishes):
    """Drain a training; make each wish once, when its step is done."""
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, StepDone):
            for wish in wishes.get(event.step, ()):
                requests.request(folder, wish)
    return seen


def later(folder, wish):
    timer = threading.Timer(PAUSE_S, requests.request, (folder, wish))
    timer.start()
    return timer


@pytest.mark.parametrize("step", [2, 3, 9], ids=["mid-epoch", "end of an epoch", "last step"])
def test_a_pause_takes_effect_after_the_step_and_changes_nothing(
    split, recipe, tmp_path, whole, step
):
    folder = tmp_path / "run"
    seen = []
    for event in train(recipe, split, folder):
        seen.append(event)
        if isinstance(event, StepDone) and event.step == step:
            open_run(folder).pause()
        if isinstance(event, RunPaused):
            assert event.step == step
            assert open_run(folder).state == "paused"
            assert (folder / "checkpoints" / "last" / "progress.json").exists()
            timer = later(folder, "unpause")
    timer.join()
    assert any(isinstance(event, RunUnpaused) for event in seen)
    run = open_run(folder)
    assert run.state == "finished"
    assert without_clocks(run.events()) == without_clocks(whole.events())
    assert same(tensors(run.checkpoint("last")), tensors(whole.checkpoint("last")))


def held_while_training_and_while_paused(split, recipe, folder):
    """Train; return how much of a tensor's memory stays when it is freed, and when it pauses."""
    process, size = psutil.Process(), 256 * 2**20
    held = []
    for event in train(recipe, split, folder):
        if isinstance(event, StepDone) and event.step == 2:
            before = process.memory_info().rss
            torch.ones(size // 4)
            held.append((process.memory_info().rss - before) / size)
            requests.request(folder, "pause")
        if isinstance(event, RunPaused):
            held.append((process.memory_info().rss - before) / size)
            requests.request(folder, "stop")
    return held


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap is not glibc's")
def test_a_paused_run_leaves_its_free_memory_to_others(split, recipe, tmp_path):
    # In a process of its own, as in those of `test_heap.py`.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        training, paused = pool.submit(
            held_while_training_and_while_paused, split, recipe, tmp_path / "run"
        ).result()
    assert training > 0.5, "kept for the next step"
    assert paused < 0.5


def test_time_paused_counts_in_no_duration_and_no_speed(split, recipe, tmp_path):
    folder = tmp_path / "run"
    begun = time.perf_counter()
    for event in train(recipe, split, folder):
        if isinstance(event, StepDone) and event.step == 2:
            requests.request(folder, "pause")
        if isinstance(event, RunPaused):
            later(folder, "unpause")
    took = time.perf_counter() - begun
    run = open_run(folder)
    assert run.events()[-1].duration_s < took - PAUSE_S
    assert run.duration_s() < took - PAUSE_S
    went_on = next(event for event in run.events() if event.kind == "run_unpaused")
    after = next(event for event in run.events() if event.kind == "step_done" and event.step == 3)
    chips = len(split.train) - 2 * recipe.batch_size  # the last step of the epoch
    # Its own seconds, to the ticks of two clocks.
    assert 0 < chips / after.samples_per_s < after.time - went_on.time + 0.05


def test_a_stop_ends_a_pause(split, recipe, tmp_path):
    folder = tmp_path / "run"
    for event in train(recipe, split, folder):
        if isinstance(event, StepDone) and event.step == 2:
            requests.request(folder, "pause")
        if isinstance(event, RunPaused):
            timer = later(folder, "stop")
    timer.join()
    run = open_run(folder)
    assert run.state == "stopped"
    assert [event.kind for event in run.events()][-2:] == ["run_paused", "run_stopped"]


def test_an_interrupt_ends_a_pause(split, recipe, tmp_path):
    folder, control = tmp_path / "run", Control()
    for event in train(recipe, split, folder, control=control):
        if isinstance(event, StepDone) and event.step == 2:
            requests.request(folder, "pause")
        if isinstance(event, RunPaused):
            control.stop("interrupted")
    assert open_run(folder).events()[-1].reason == "interrupted"


def test_a_run_killed_in_its_pause_goes_on_from_there(split, recipe, tmp_path, whole):
    folder = tmp_path / "run"
    events = train(recipe, split, folder)
    for event in events:
        if isinstance(event, StepDone) and event.step == 2:
            requests.request(folder, "pause")
        if isinstance(event, RunPaused):
            break
    events.close()
    assert open_run(folder).state == "killed"
    seen = list(train(recipe, split, folder, resume=True))
    assert (seen[0].kind, seen[0].step) == ("run_resumed", 2)
    assert without_clocks(open_run(folder).events()) == without_clocks(whole.events())


def test_stop_after_the_epoch_ends_with_its_validation(split, recipe, tmp_path, whole):
    folder = tmp_path / "run"
    seen = wishing(train(recipe, split, folder), folder, {4: ["stop_after_epoch"]})
    assert [event.kind for event in seen[-2:]] == ["epoch_done", "run_stopped"]
    assert sum(isinstance(event, EpochDone) for event in seen) == 2
    list(train(recipe, split, folder, resume=True))
    assert without_clocks(open_run(folder).events()) == without_clocks(whole.events())


def test_stop_after_the_last_epoch_is_its_end(split, recipe, tmp_path):
    folder = tmp_path / "run"
    wishing(train(recipe, split, folder), folder, {8: ["stop_after_epoch"]})
    assert open_run(folder).state == "finished"


@pytest.mark.parametrize("wish", ["pause", "stop"])
def test_a_wish_in_the_middle_of_validation_is_obeyed_and_validation_begins_again(
    split, recipe, tmp_path, whole, monkeypatch, wish
):
    folder = tmp_path / "run"
    look, looks = Control.interrupt, iter(range(99))

    def interrupt(self) -> None:
        if next(looks) == 1:  # within the second validation
            requests.request(folder, wish)
        look(self)

    monkeypatch.setattr(Control, "interrupt", interrupt)
    seen = []
    for event in train(recipe, split, folder):
        seen.append(event.kind)
        if event.kind == "run_paused":
            requests.request(folder, "unpause")
    if wish == "stop":
        assert seen[-2:] == ["step_done", "run_stopped"]
        list(train(recipe, split, folder, resume=True))
    else:
        assert "run_paused" in seen
    assert without_clocks(open_run(folder).events()) == without_clocks(whole.events())
