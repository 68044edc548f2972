# ruff: noqa: F401, F811  (fixtures shared with tests/training)
"""launch and wait: a training in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import workbench as wb
from tests.runs.conftest import finished, started, step, write
from tests.training.conftest import (
    one_thread_and_random_weights,
    random_weights,
    recipe,
    same,
    split,
    tensors,
    without_clocks,
)
from workbench.cli.steering import watch
from workbench.errors import RecipeError, RunError, RunExistsError, SplitError, TrainingError
from workbench.events import RunFailed, RunStopped, StepDone
from workbench.fitting import fit, launch, resume, waiting
from workbench.peft import FullFineTuning
from workbench.recipe import SpectralIndex
from workbench.runs import create, open_run
from workbench.training import train


@pytest.fixture(scope="module")
def scratch(recipe):
    """A recipe whose weights come from nowhere, so that another process has the same."""
    return recipe.but(backbone="unet_encoder", peft=FullFineTuning(), decoder="unet")


@pytest.fixture(scope="module")
def endless(recipe):
    """A recipe that somebody has to stop."""
    return recipe.but(epochs=100_000, patience=100_000)


@pytest.fixture
def made(split, tmp_path):
    """A run folder that nobody trains."""
    folder = tmp_path / "runs" / "made"
    create(folder, SpectralIndex(), split, {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
    return open_run(folder)


@contextlib.contextmanager
def trained_in_a_thread(events, folder):
    """Train in a thread, from its first event on; yield what lets it go on after that event."""
    free = threading.Event()

    def train_on() -> None:
        for _ in events:
            free.wait()

    thread = threading.Thread(target=train_on)
    thread.start()
    wait_for(lambda: open_run(folder).state == "running")
    yield free.set
    free.set()
    thread.join()


@pytest.fixture
def interrupted_at_the_second_look(monkeypatch):
    """Send a real SIGINT while this process waits for a run, however busy the machine is."""
    look, looks = waiting.is_live, itertools.count(1)

    def is_live(folder) -> bool:
        if next(looks) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return look(folder)

    monkeypatch.setattr(waiting, "is_live", is_live)


def test_what_can_be_refused_at_once_is_refused_by_the_call(split, recipe, tmp_path):
    root = tmp_path / "runs"
    empty = dataclasses.replace(split, parts={**split.parts, "train": ()})
    info = split.dataset.info.model_copy(update={"source": {}})
    here = dataclasses.replace(split, dataset=dataclasses.replace(split.dataset, info=info))
    with pytest.raises(SplitError, match="'train' has no chips"):
        launch(recipe, empty, root=root)
    with pytest.raises(SplitError, match=r"put together in this process.*train here with wb\.fit"):
        launch(recipe, here, root=root)
    with pytest.raises(RecipeError, match="device='tpu' is not available"):
        launch(recipe, split, root=root, device="tpu")
    with pytest.raises(RecipeError, match="does not fit"):
        launch(recipe.but(backbone="unet_encoder"), split, root=root)
    with pytest.raises(RunError, match="not a plain folder name"):
        launch(recipe, split, root=root, name="a/b")
    assert not root.exists()
    (root / "taken").mkdir(parents=True)
    with pytest.raises(RunExistsError, match="another name"):
        launch(recipe, split, root=root, name="taken")


def test_a_device_that_is_not_there_is_refused_and_the_run_is_as_it_was(made):
    write(made, started(), RunStopped(step=1, reason="asked to stop"))
    with pytest.raises(RecipeError, match="device='tpu' is not available"):
        resume(made, device="tpu", wait=False)
    assert made.state == "stopped"


def test_wait_returns_when_the_training_has_ended(split, recipe, tmp_path):
    folder = tmp_path / "run"
    with trained_in_a_thread(train(recipe, split, folder), folder) as go_on:
        run = open_run(folder)
        assert run.wait(timeout=0).state == "running"
        go_on()
        assert run.wait() is run
        assert run.state == "finished"


def test_an_interrupt_while_waiting_stops_the_training_with_its_checkpoint(
    split, endless, tmp_path, interrupted_at_the_second_look
):
    folder, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    with trained_in_a_thread(train(endless, split, folder), folder) as go_on:
        go_on()
        run = open_run(folder).wait()
    assert run.state == "stopped"
    assert run.checkpoint("last").exists()
    assert signal.getsignal(signal.SIGINT) is handler


def test_leaving_a_watch_leaves_the_training(
    split, endless, tmp_path, capsys, interrupted_at_the_second_look
):
    folder = tmp_path / "run"
    with trained_in_a_thread(train(endless, split, folder), folder) as go_on:
        go_on()
        watch(folder)
        assert "run goes on; `workbench stop" in capsys.readouterr().out
        run = open_run(folder)
        assert run.state == "running"
        run.stop()
    assert run.state == "stopped"


def test_waiting_for_a_run_that_failed_raises_what_fit_would_have_raised(made):
    write(made, started(), step(1),
          RunFailed(step=1, error="KeyError: 'x'", traceback="", advice="See log.txt."))
    with pytest.raises(TrainingError) as caught:
        made.wait()
    assert str(caught.value) == (
        "Training of 'made' failed in epoch 1 after step 1. KeyError: 'x' – See log.txt. There is "
        f"no checkpoint yet; wb.resume({str(made.folder)!r}) begins again."
    )


def test_a_killed_run_tells_its_last_words(made):
    (made.folder / "output.txt").write_text("a note\nImportError: no such library\n\n")
    assert "state killed: ImportError: no such library" in repr(made)
    with pytest.raises(TrainingError, match=r"killed after step 0: its process ended\. Its last "
                       r"words: ImportError: no such library If they do not say why, somebody"):
        made.wait()
    (made.folder / "output.txt").write_text("")
    with pytest.raises(TrainingError, match=r"ended without a word\. Somebody killed it"):
        made.wait()


def test_a_launched_run_whose_scoring_broke_off_is_not_taken_for_done(made):
    write(made, started(), finished())
    assert made.wait() is made  # trained here, and scored by whom it pleases
    (made.folder / "output.txt").touch()
    with pytest.raises(TrainingError, match=r"broke off: its process was killed\. wb\.resume"):
        made.wait()
    (made.folder / "output.txt").write_text("MemoryError\n")
    with pytest.raises(TrainingError, match=r"scoring broke off: MemoryError wb\.resume.* scores"):
        made.wait()


@pytest.mark.slow
def test_a_launched_run_equals_a_fitted_one(split, scratch, tmp_path):
    whole = fit(scratch, split, root=tmp_path, name="whole")
    with watching(tmp_path / "launched") as states:
        run = launch(scratch, split, root=tmp_path, name="launched")
    assert run.state == "starting"
    assert states == {"starting"}
    with pytest.raises(RunError, match="being trained by another process"):
        resume(run)
    run.wait()
    assert run.state == "finished"
    assert without_clocks(run.events()) == without_clocks(whole.events())
    assert same(tensors(run.checkpoint("best")), tensors(whole.checkpoint("best")))
    assert run.scores() == whole.scores()
    assert {**run.resolved} == {**whole.resolved}
    assert "held out, bolivia" in (run.folder / "card.md").read_text()
    assert (run.folder / "output.txt").read_text() == ""


@pytest.mark.slow
def test_a_launched_run_is_paused_read_stopped_and_gone_on_with(split, scratch, tmp_path):
    run = launch(scratch.but(epochs=400, patience=400), split, root=tmp_path)
    run.pause()  # while it starts: not forgotten
    wait_for(lambda: run.state == "paused")
    paused_at = run.events()[-1].step
    run.unpause()
    wait_for(lambda: sum(event.kind == "epoch_done" for event in run.events()) > 1)
    assert run.events()[-1].step > paused_at
    assert not wb.load_model(run).training
    assert not wb.load_model(run, checkpoint="last").training
    run.stop(after_epoch=True)
    assert run.wait().state == "stopped"
    assert run.events()[-2].kind == "epoch_done"
    stopped_at = run.events()[-1].step
    resume(run, wait=False)
    wait_for(lambda: run.state == "running")
    run.stop()
    assert run.wait().state == "stopped"
    assert run.events()[-1].step >= stopped_at


@pytest.mark.slow
def test_a_launched_run_outlives_a_killed_process_that_launched_it(split, scratch, tmp_path):
    folder = tmp_path / "runs"
    create(tmp_path / "told", scratch, split, {"bands": list(split.dataset.bands)})
    script = tmp_path / "script.py"  # without `if __name__ == "__main__"`
    script.write_text(textwrap.dedent(f"""
        import os, signal
        import workbench as wb
        told = wb.open_run({str(tmp_path / "told")!r})
        run = wb.launch(told.recipe, told.split, root={str(folder)!r}, name="run")
        os.killpg(0, signal.SIGKILL)
    """))
    killed = subprocess.run([sys.executable, script], start_new_session=True, check=False,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert killed.returncode == -signal.SIGKILL
    run = open_run(folder / "run")
    assert run.state in ("starting", "running")
    assert run.wait().state == "finished"
    assert run.scores()


@pytest.mark.slow
def test_what_a_worker_finds_wrong_before_its_first_step_is_told_by_the_run(
    split, scratch, tmp_path, monkeypatch
):
    run = launch(scratch.but(bands=("BLUE", "RED"), backbone="prithvi_eo_v2_300"), split,
                 root=tmp_path)
    with pytest.raises(TrainingError, match=r"failed in epoch 1 after step 0\. \w+Error: "):
        run.wait()
    assert run.state == "failed"
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('a broken installation')")
    monkeypatch.syspath_prepend(tmp_path / "broken")
    run = launch(scratch, split, root=tmp_path)
    with pytest.raises(TrainingError, match=r"was killed .*ImportError: a broken installation"):
        run.wait()
    assert "killed: ImportError: a broken installation" in repr(run)


@contextlib.contextmanager
def watching(folder):
    """Yield all states that somebody sees who never looks away."""
    states, ended = set(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            if folder.exists():
                states.add(open_run(folder).state)

    thread = threading.Thread(target=look)
    thread.start()
    yield states
    wait_for(lambda: states)
    ended.set()
    thread.join()


def wait_for(holds) -> None:
    ends = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.02)
