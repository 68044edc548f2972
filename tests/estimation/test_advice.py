"""What trainings take from estimates: a batch size, and words where the memory was full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.data import Split
from workbench.errors import RecipeError, TrainingError
from workbench.estimation import estimate
from workbench.estimation.forecast import Forecast
from workbench.estimation.machine import Room
from workbench.fitting import fit, foreground, resume
from workbench.recipe import Recipe
from workbench.runs import open_run
from workbench.training.step import Step

RECIPE = Recipe(decoder="linear", epochs=1)


def test_auto_is_settled_once_and_recorded(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "auto_batch", lambda recipe, split, device: 5)
    run = fit(RECIPE.but(batch_size="auto"), split, root=tmp_path, show=False, device="cpu")
    written = json.loads((run.folder / "recipe.json").read_text())
    assert written["given"]["batch_size"] == "auto"
    assert written["resolved"]["batch_size"] == 5
    started = next(event for event in run.events() if event.kind == "run_started")
    assert started.steps_per_epoch == -(-len(split.train) // 5)
    monkeypatch.setattr(foreground, "auto_batch", lambda recipe, split, device: 7)
    assert resume(run, show=False).resolved["batch_size"] == 5


def test_auto_is_no_number_before_a_training() -> None:
    with pytest.raises(RecipeError, match="settled where a training starts"):
        _ = RECIPE.but(batch_size="auto").chips_at_once
    for wrong in (0, True, "all", 2.5):
        with pytest.raises(RecipeError, match="neither a whole number from 1 on nor 'auto'"):
            RECIPE.but(batch_size=wrong)


@pytest.mark.slow
def test_what_fits_is_what_is_trained(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forecast, "_look", lambda self: Room(30_000_000, 22_000_000))
    recipe = estimate(RECIPE, split, fit=True, device="cpu").recipe
    assert isinstance(recipe, Recipe)
    batches: list[list[int]] = []
    take = Step.take

    def watched(self: Step, given: Any, seed: int) -> Any:
        batches.append([len(batch.mask) for batch in given])
        return take(self, given, seed)

    monkeypatch.setattr(Step, "take", watched)
    fitted = fit(recipe, split, root=tmp_path, name="fit", show=False, device="cpu")
    assert fitted.recipe == recipe
    assert batches[0] == [recipe.batch_size] * recipe.accumulate
    assert sum(batches[0]) == RECIPE.batch_size
    batches.clear()
    auto = fit(RECIPE.but(batch_size="auto"), split, root=tmp_path, show=False, device="cpu")
    size = auto.resolved["batch_size"]
    assert 1 <= size <= len(split.train) // 4
    assert batches[0] == [size]


@pytest.mark.slow
def test_a_full_memory_is_explained_with_what_would_fit(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: Any) -> None:
        torch.empty(10**15)  # what a CPU without memory says

    monkeypatch.setattr(Step, "take", greedy)
    with pytest.raises(TrainingError, match=r"The memory is full: with 8 chips at once"):
        fit(RECIPE, split, name="greedy", root=tmp_path, show=False, device="cpu")
    failed = open_run(tmp_path / "greedy").events()[-1]
    assert failed.kind == "run_failed"
    for change in ("batch_size=", "gradient_checkpointing=True", "peft=LinearProbe()"):
        assert f"recipe.but({change}" in failed.advice
    assert "wb.estimate" in failed.advice
