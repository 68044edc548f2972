"""On CPU an interrupted run ends bit for bit where the uninterrupted one does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.conftest import same, tensors, without_clocks
from workbench.errors import RunError, TrainingError, WeightsError
from workbench.events import EpochDone, StepDone
from workbench.losses import Focal
from workbench.peft import FullFineTuning, LinearProbe
from workbench.recipe import SpectralIndex
from workbench.runs import open_run
from workbench.runs.failures import why
from workbench.runs.journal import EVENTS
from workbench.schedules import Cosine
from workbench.storage import read_json, write_json
from workbench.training import Control, train

# Trains a run folder, and kills itself so long after each event of a kind, on a busy machine too.
CHILD = """
import os, signal, sys, threading, torch
from pathlib import Path
from workbench.models import loading
from workbench.runs import open_run
from workbench.training import train
loading.SHIPPED = Path(sys.argv[2])
torch.set_num_threads(1)
run = open_run(sys.argv[1])
kind, delay_s = sys.argv[3], float(sys.argv[4])
for event in train(run.recipe, run.split, run.folder, resume=True):
    if event.kind == kind:
        threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
"""


@pytest.fixture(scope="module")
def whole(split, recipe, tmp_path_factory, one_thread_and_random_weights):
    """The run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    list(train(recipe, split, folder))
    return open_run(folder)


def stop_after(steps: int, events, control: Control) -> None:
    for event in events:
        if isinstance(event, StepDone) and event.step == steps:
            control.stop()


def resumed(folder: Path):
    run = open_run(folder)
    list(train(run.recipe, run.split, folder, resume=True))
    return open_run(folder)


def assert_equal(run, whole) -> None:
    assert without_clocks(run.events()) == without_clocks(whole.events())
    for name in ("best", "last"):
        assert same(tensors(run.checkpoint(name)), tensors(whole.checkpoint(name)))
    mine, its = (read_json(entry.checkpoint("last") / "progress.json") for entry in (run, whole))
    assert {**mine, "duration_s": 0, "epoch_s": 0} == {**its, "duration_s": 0, "epoch_s": 0}


@pytest.mark.parametrize("step", [1, 3, 5], ids=["first step", "end of an epoch", "mid-epoch"])
def test_stopped_and_resumed_equals_uninterrupted(split, recipe, tmp_path, whole, step):
    control = Control()
    stop_after(step, train(recipe, split, tmp_path / "run", control=control), control)
    assert open_run(tmp_path / "run").state == "stopped"
    assert_equal(resumed(tmp_path / "run"), whole)


def test_stopped_at_every_second_step_equals_uninterrupted(split, recipe, tmp_path, whole):
    folder = tmp_path / "run"
    control = Control()
    stop_after(2, train(recipe, split, folder, control=control), control)
    for step in (4, 6, 8):
        control = Control()
        run = open_run(folder)
        stop_after(step, train(recipe, run.split, folder, resume=True, control=control), control)
        assert run.state == "stopped"
    assert_equal(resumed(folder), whole)


@pytest.mark.parametrize("leave_at", [2, 7], ids=["before a checkpoint", "after two epochs"])
def test_a_reader_that_leaves_is_a_kill_that_can_be_resumed(
    split, recipe, tmp_path, whole, leave_at
):
    events = train(recipe, split, tmp_path / "run")
    for event in events:
        if isinstance(event, StepDone) and event.step == leave_at:
            break
    events.close()
    assert open_run(tmp_path / "run").state == "killed"
    assert_equal(resumed(tmp_path / "run"), whole)


def test_left_between_an_epochs_event_and_its_checkpoint(split, recipe, tmp_path, whole):
    events = train(recipe, split, tmp_path / "run")
    for event in events:
        if isinstance(event, EpochDone) and event.epoch == 1:
            break
    events.close()
    assert_equal(resumed(tmp_path / "run"), whole)


@pytest.mark.parametrize(
    "recipe_of",
    [
        lambda recipe: recipe.but(peft=LinearProbe(), decoder="unet"),
        lambda recipe: recipe.but(backbone="unet_encoder", peft=FullFineTuning(), decoder="unet"),
        lambda recipe: recipe.but(
            batch_size=1, accumulate=2, schedule=Cosine(warmup=0.3), loss=Focal(),
            class_weights="balanced", label_smoothing=0.1,
        ),
        lambda recipe: recipe.but(precision="bf16", gradient_checkpointing=True, loss="dice"),
        lambda recipe: recipe.but(precision="fp16", schedule="cosine"),
    ],
    ids=["probe with batch norm", "convolutions from scratch", "accumulated, cosine, focal",
         "bf16, recomputed, dice", "fp16 with its scaler"],
)
def test_other_recipes_resume_exactly_too(split, recipe, tmp_path, recipe_of):
    recipe = recipe_of(recipe).but(epochs=2)
    list(train(recipe, split, tmp_path / "whole"))
    control = Control()
    stop_after(4, train(recipe, split, tmp_path / "run", control=control), control)
    assert_equal(resumed(tmp_path / "run"), open_run(tmp_path / "whole"))


def test_killed_with_sigkill_and_resumed_equals_uninterrupted(
    split, recipe, tmp_path, whole, random_weights
):
    folder = tmp_path / "run"
    train(recipe, split, folder).close()  # made, not begun
    # Somewhere in a checkpoint write or in the next epoch.
    child = subprocess.run([sys.executable, "-c", CHILD, folder, random_weights, "epoch_done",
                            "0.02"], check=False)  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    assert open_run(folder).state == "killed"
    assert_equal(resumed(folder), whole)


def test_a_run_in_training_is_not_trained_twice(split, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.runs.lock._PATIENCE_S", 0.05)
    events = train(recipe, split, tmp_path / "run")
    next(events)
    assert open_run(tmp_path / "run").state == "running"
    with pytest.raises(RunError, match="is being trained by another process"):
        resumed(tmp_path / "run")
    events.close()


@pytest.mark.parametrize("name", ["optimizer.safetensors", "segmenter.safetensors",
                                  "adapter_model.safetensors", "progress.json"])
def test_a_damaged_checkpoint_is_named_and_resume_is_not_praised(
    split, recipe, tmp_path, whole, name
):
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    journal = (folder / EVENTS).read_bytes().splitlines(keepends=True)
    (folder / EVENTS).write_bytes(b"".join(journal[:-1]))
    last = folder / "checkpoints" / "last"
    content = (last / name).read_bytes()
    (last / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingError, match=r"The checkpoint .*last is damaged: .*from a copy"):
        resumed(folder)
    assert "goes on from there" not in why(open_run(folder))
    assert "The best epoch before it is whole" in why(open_run(folder))
    (last / name).write_bytes(content)
    assert resumed(folder).state == "finished"


def test_an_index_is_tuned_again(split, tmp_path):
    recipe = SpectralIndex(threshold="tuned")
    train(recipe, split, tmp_path / "run").close()
    assert resumed(tmp_path / "run").state == "finished"


def test_another_backbone_than_the_one_trained_on_is_refused(split, recipe, tmp_path):
    control = Control()
    stop_after(1, train(recipe, split, tmp_path / "run", control=control), control)
    data = read_json(tmp_path / "run" / "recipe.json")
    data["resolved"]["weights_hash"] = "0" * 64
    write_json(tmp_path / "run" / "recipe.json", data)
    with pytest.raises(WeightsError, match=r"not those .*run was trained on"):
        resumed(tmp_path / "run")
