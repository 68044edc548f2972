from __future__ import annotations

import gc
import os
import shutil
import threading
import weakref
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from workbench.assembly import load_model
from workbench.data import Dataset
from workbench.errors import RunError
from workbench.prediction import kept
from workbench.prediction.kept import kept_model
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs import Run
from workbench.training import train


@pytest.fixture(scope="module")
def trained(tiny_floods: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("kept") / "ndwi"
    for _ in train(SpectralIndex(), tiny_floods.select(region="spain").split(), folder,
                   device="cpu"):
        pass
    return Run(folder)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets a model that another one loaded."""
    monkeypatch.setattr(kept, "_recent", OrderedDict())
    monkeypatch.setattr(kept, "_alive", weakref.WeakValueDictionary())


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that were loaded from disk."""
    names: list[str] = []

    def load(run: Run, **how: object) -> object:
        names.append(run.name)
        return load_model(run, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, "load_model", load)
    return names


def copies(run: Run, folder: Path, count: int) -> list[Run]:
    return [Run(shutil.copytree(run.folder, folder / f"run-{number}")) for number in range(count)]


def test_a_run_is_loaded_once(trained: Run, tmp_path: Path, loads: list[str]) -> None:
    (run,) = copies(trained, tmp_path, 1)
    threads = [threading.Thread(target=kept_model, args=(run, "cpu")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept_model(Run(run.folder), "cpu") is kept_model(run, "cpu")
    assert loads == ["run-0"]


@pytest.mark.parametrize("within", [(True, False), (False, True)])
def test_a_model_asked_for_within_inference_mode_is_sound_and_shared_with_others(
        within: tuple[bool, bool], tiny_floods: Dataset, tmp_path: Path) -> None:
    recipe = Recipe(peft="linear_probe", decoder="linear", epochs=1)
    for _ in train(recipe, tiny_floods.select(region="spain").split(), tmp_path / "probe",
                   device="cpu"):
        pass
    models = []
    for run, inside in zip(copies(Run(tmp_path / "probe"), tmp_path, 2), within, strict=True):
        with torch.inference_mode(inside):
            models.append(kept_model(run, "cpu"))
    for model in models:
        assert not any(weight.is_inference() for weight in model.parameters())
        image = torch.rand(1, len(model.description.bands), 32, 32)
        with torch.inference_mode():
            answer = model(image)
        assert torch.equal(model(image), answer)


def test_a_replaced_checkpoint_is_loaded_anew(
        trained: Run, tmp_path: Path, loads: list[str]) -> None:
    (run,) = copies(trained, tmp_path, 1)
    before = kept_model(run, "cpu")
    for file in run.checkpoint("best").iterdir():
        os.utime(file, ns=(1, 1))
    assert kept_model(run, "cpu") is not before
    assert loads == ["run-0", "run-0"]


def test_the_number_of_kept_models_is_bounded(
        trained: Run, tmp_path: Path, loads: list[str]) -> None:
    runs = copies(trained, tmp_path, 10)
    for run in runs:
        kept_model(run, "cpu")
    gc.collect()
    kept_model(runs[-1], "cpu")
    assert len(loads) == 10
    kept_model(runs[0], "cpu")
    assert loads[10:] == ["run-0"], "the oldest made room"


def test_a_run_without_a_checkpoint_is_named_though_it_was_loaded_once(
        trained: Run, tmp_path: Path) -> None:
    (run,) = copies(trained, tmp_path, 1)
    kept_model(run, "cpu")
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(RunError, match="no checkpoint 'best'"):
        kept_model(run, "cpu")
