"""What people get wrong first is answered with what was wrong and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

import workbench as wb
from tests.runs.conftest import finished, started, write
from workbench.errors import WorkbenchError
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create


@pytest.fixture(scope="module")
def split(tiny_floods: wb.Dataset) -> wb.Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture
def run(split: wb.Split, tmp_path: Path) -> Run:
    """A run whose journal says that it has finished."""
    create(tmp_path / "ndwi", SpectralIndex(), split,
           {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
    run = Run(tmp_path / "ndwi")
    write(run, started(), finished())
    return run


@pytest.mark.parametrize(("call", "said"), [
    (lambda data, split: wb.fit(None, split), "NoneType, not a recipe"),
    (lambda data, split: wb.fit(split, wb.Recipe()), "The recipe comes first, then the split"),
    (lambda data, split: wb.fit("lora", split), "'lora' is a str, not a recipe"),
    (lambda data, split: wb.fit(wb.Recipe(), data), "not a Dataset: dataset.split(hold_out"),
    (lambda data, split: wb.launch(split, wb.Recipe()), "The recipe comes first"),
    (lambda data, split: wb.launch(wb.Recipe(), data), "A split is needed, not a Dataset"),
    (lambda data, split: wb.estimate(split, wb.Recipe()), "A split is needed, not a Recipe"),
    (lambda data, split: wb.estimate(wb.Recipe(), data), "A split is needed, not a Dataset"),
    (lambda data, split: wb.study(None, split), "not recipes"),
    (lambda data, split: wb.fit(wb.Recipe(), split, root=None), "root=None is no folder"),
    (lambda data, split: wb.fit(wb.Recipe(), split, name=3), "name=3 is not a plain folder name"),
    (lambda data, split: wb.fit(wb.Recipe(), split, name="ä" * 101), "longer than 200 bytes"),
    (lambda data, split: wb.open_run(None), "None is neither a run nor the folder of one"),
    (lambda data, split: wb.resume(3), "3 is neither a run nor the folder of one"),
    (lambda data, split: wb.load(None), "wb.load takes a collection or its id, not a NoneType"),
    (lambda data, split: wb.concat([data, 3]), "joins datasets, not a int"),
    (lambda data, split: wb.load_model(None), "None is no run"),
    (lambda data, split: wb.merge(None), "None is no run"),
    (lambda data, split: wb.fit_labels(None), "None are no labels"),
    (lambda data, split: wb.dashboard(3), "3 is neither a run nor the folder of one"),
])  # fmt: skip
def test_a_wrong_thing_is_named_with_what_belongs_there(
        call, said, tiny_floods, split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkbenchError, match=re.escape(said)):
        call(tiny_floods, split)
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize(("given", "said"), [
    ({"classes": 2}, "classes=2 is no list of names"),
    ({"chip_size": "64"}, "chip_size='64' is no whole number"),
    ({"scale": 0}, "scale is not 0"),
    ({"scale": float("nan")}, "scale=nan"),
])  # fmt: skip
def test_numbers_that_make_no_data_are_refused(given, said, tiny_folder):
    facts = {"bands": ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"),
             "classes": ["land", "water"]}
    with pytest.raises(WorkbenchError, match=re.escape(said)):
        wb.Dataset.from_folder(str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"),
                               **{**facts, **given})


def test_a_place_where_no_run_can_be_is_said_before_anything_is_done(split, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(WorkbenchError, match=r"is no folder: .*file is a file"):
            wb.fit(SpectralIndex(), split, root=root)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(WorkbenchError, match="is not yours to write to"):
        wb.fit(SpectralIndex(), split, root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_that_was_deleted_meanwhile_is_said(run):
    shutil.rmtree(run.folder)
    for look in (repr, lambda gone: gone.recipe, lambda gone: gone.split, wb.evaluate,
                 lambda gone: wb.predict(gone, "scene.tif"), lambda gone: wb.compare([gone])):
        with pytest.raises(WorkbenchError, match=r"moved or deleted|There is no|no checkpoint"):
            look(run)


@pytest.mark.parametrize(("name", "text", "said"), [
    ("recipe.json", "[]", "is damaged: it holds a list"),
    ("recipe.json", json.dumps({"kind": "x"}), "does not say what was trained"),
    ("recipe.json", "{", "not valid JSON"),
    ("events.jsonl", "garbage\n", "the line b'garbage' is no event"),
    ("events.jsonl", "[]\n", "is no event"),
    ("events.jsonl", '{"kind": "unheard_of"}\n', "is no event"),
])  # fmt: skip
def test_a_damaged_run_folder_says_which_file_and_what(run, name, text, said):
    (run.folder / name).write_text(text)
    with pytest.raises(WorkbenchError, match=re.escape(said)):
        repr(wb.open_run(run.folder))
