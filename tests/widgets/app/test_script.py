"""The script of a Workbench runs by itself and does what was done by mouse."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.data import Dataset, Split
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs import Run, create, open_run
from workbench.widgets.app.queue import Training
from workbench.widgets.app.script import same, script, split_code


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


def made(lines: list[str]) -> Split:
    names: dict = {}
    exec("\n".join(["import workbench as wb", *lines]), names)
    return names["split"]


def run_of(split: Split, folder: Path, recipe: SpectralIndex) -> Run:
    create(folder, recipe, split, {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
    return open_run(folder)


def test_a_split_comes_back_chip_by_chip(split):
    again = made(split_code(split))
    assert again.parts == split.parts
    assert same(again, split)


def test_a_split_by_hand_and_a_drawn_region_come_back_too(split, tiny_floods):
    by_hand = dataclasses.replace(split, rule=None)
    assert made(split_code(by_hand)).parts == split.parts
    spain = tiny_floods.select(region="spain") if "spain" in tiny_floods.regions else None
    bounds = (spain or split.held_out).chips.total_bounds
    drawn = tiny_floods.with_region("drawn", within=tuple(map(float, bounds)))
    held = drawn.split(hold_out=["drawn"])
    assert made(split_code(held)).parts == held.parts


def test_a_selection_of_chips_comes_back_as_one(split, tiny_floods):
    few = tiny_floods.select(list(tiny_floods)[:20]).split(fractions=(1.0, 0.0, 0.0))
    again = made(split_code(few))
    assert again.parts == few.parts
    assert list(again.dataset) == list(few.dataset)


def test_without_data_it_says_what_to_do_first_and_is_python():
    said = script(None, Recipe(epochs=3), [], [])
    assert "# Choose data first" in said
    assert said.endswith("recipe = wb.Recipe(epochs=3)\n")
    compile(said, "script", "exec")


def test_what_was_launched_is_trained_and_what_was_there_is_opened(split, tmp_path, monkeypatch):
    ours = run_of(split, tmp_path / "ndwi-2", SpectralIndex())
    theirs = run_of(split, tmp_path / "3 b", SpectralIndex(index="mndwi"))
    monkeypatch.setattr(Run, "state", "finished")
    launched = [Training(SpectralIndex(), split, ours), Training(Recipe(epochs=2), split),
                Training(Recipe(), split, error="no such device")]
    said = script(split, Recipe(epochs=2), launched, [theirs, ours], "wb.compare_map(comparison)")
    lines = said.split("\n")
    assert "ndwi_2 = wb.fit(wb.SpectralIndex(), split)" in lines
    assert "workbench_tiny_lora_unet = wb.fit(wb.Recipe(epochs=2), split)" in lines
    assert f"run_3_b = wb.open_run({str(theirs.folder)!r})" in lines
    assert "comparison = wb.compare([run_3_b, ndwi_2])" in lines
    assert not [line for line in lines if line.startswith("recipe = ")], "it is among the launched"
    compile(said, "script", "exec")


def test_another_split_has_a_name_of_its_own(split, tiny_floods):
    other = tiny_floods.split(hold_out=["ghana"])
    said = script(other, Recipe(), [Training(Recipe(), split)], [])
    assert "split_1 = dataset_1.split(hold_out=['bolivia'])" in said
    assert "split_2 = dataset_2.split(hold_out=['ghana'])" in said
    assert "wb.fit(wb.Recipe(), split_1)" in said


@pytest.mark.slow
def test_it_runs_without_a_screen(split, tmp_path, monkeypatch):
    first = run_of(split, tmp_path / "ndwi", SpectralIndex())
    monkeypatch.setattr(Run, "state", "finished")
    said = script(split, SpectralIndex(), [Training(SpectralIndex(), split, first)], [first])
    (tmp_path / "script.py").write_text(said)
    paths = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True,
                          text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    assert "mIoU" in done.stdout
    assert (tmp_path / "runs" / "ndwi-0" / "evaluation" / "summary.json").exists()
