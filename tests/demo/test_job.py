from __future__ import annotations

import os
import signal

import pytest

from workbench.demo.job import claim, fitted, recipes
from workbench.errors import WorkbenchError
from workbench.events import RunResumed
from workbench.recipe import Recipe
from workbench.training.step import Step

MADE_BY = {"workbench": "0.1.0", "epochs": 5}


def test_a_new_folder_is_claimed_and_the_same_demo_goes_on_in_it(tmp_path):
    claim(tmp_path / "demo", MADE_BY)
    claim(tmp_path / "demo", MADE_BY)


def test_a_demo_of_another_version_is_refused_with_what_differs(tmp_path):
    claim(tmp_path, MADE_BY)
    with pytest.raises(WorkbenchError, match=r"workbench 0\.1\.0 instead of 0\.2\.0"):
        claim(tmp_path, {**MADE_BY, "workbench": "0.2.0"})


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(WorkbenchError, match=r"holds no demo\. Nothing in it was touched"):
        claim(tmp_path, MADE_BY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_baselines_stand_beside_the_fine_tuned_runs(tiny_floods):
    names = list(recipes(tiny_floods, "workbench_tiny", epochs=2, seed=0))
    assert names[:4] == ["lora", "full", "linear-probe", "unet-scratch"]
    assert {"ndwi-0", "ndwi-tuned", "mndwi-0", "mndwi-tuned"} == set(names[4:])


def test_an_interrupted_training_is_kept_and_goes_on(tiny_floods, tmp_path, monkeypatch):
    split = tiny_floods.split(hold_out=["bolivia"])
    recipe = Recipe(backbone="unet_encoder", peft="full", epochs=20, patience=20)
    take = Step.take

    def interrupted(self, *given):
        os.kill(os.getpid(), signal.SIGINT)
        return take(self, *given)

    monkeypatch.setattr(Step, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, "unet", recipe, split, "cpu")
    monkeypatch.undo()
    run = fitted(tmp_path, "unet", recipe, split, "cpu")
    assert run.state == "finished"
    assert any(isinstance(event, RunResumed) for event in run.events())
