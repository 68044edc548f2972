"""What was done in a Workbench comes back in another kernel; two kernels do not fight over it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.catalog import open_catalog
from workbench.data import Dataset, Split
from workbench.data.sources import open_dataset
from workbench.fitting import fit
from workbench.recipe import Recipe, SpectralIndex
from workbench.widgets import app as module
from workbench.widgets.app import Workbench, queue
from workbench.widgets.app.keeping import Kept, StateFile
from workbench.widgets.app.memory import Memory
from workbench.widgets.app.session import Session
from workbench.widgets.picker import Picker


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is estimated or audited, and runs train in this process; a test is a kernel."""
    monkeypatch.setattr(Picker, "_audit", lambda self, split: None)
    monkeypatch.setattr("workbench.widgets.configure.Configure.tell_costs", lambda self: None)
    monkeypatch.setattr(
        queue, "launch", lambda recipe, split, root: fit(recipe, split, root=root, show=False))
    monkeypatch.setattr(module, "_KEPT", {})
    yield
    end_kernel()


def end_kernel() -> None:
    """Forget what the kernel holds, as its end does."""
    for _, memory in module._KEPT.values():
        memory._file.release()
    module._KEPT.clear()


def closed(app: Workbench) -> None:
    app.wait()
    app.close()


def kept(root: Path, name: str = ".workbench.json") -> dict:
    return json.loads((root / name).read_text())


def test_data_recipe_step_ticks_and_script_come_back(split, tmp_path):
    app = Workbench(split, root=tmp_path)
    app._session.recipe = Recipe(peft="linear_probe", decoder="linear", epochs=2)
    app._session.queue.add(SpectralIndex(), app.split)
    app.refresh()
    app._session.step = "train"
    before, code = app.value, app.code
    closed(app)
    end_kernel()
    app = Workbench(root=tmp_path)
    assert app.split.parts == split.parts
    assert app.split.dataset.hash == split.dataset.hash
    assert app.recipe == before.recipe
    assert [run.name for run in app.runs] == [run.name for run in before.runs] == ["ndwi-0"]
    assert app._session.step == "train"
    assert app.code == code
    assert app._notice.value == ""
    closed(app)


def test_what_was_done_on_the_map_comes_back_and_is_gone_on_with(split, tmp_path):
    app = Workbench(split.dataset, root=tmp_path)
    picker = app._data._picker
    picker._hear({"do": "area", "area": [-10.0, 30.0, 3.0, 50.0]})
    picker._hear({"do": "move", "part": "held_out"})
    before, line = app.split, picker.code
    assert "drawn-1" in before.hold_out
    closed(app)
    end_kernel()
    app = Workbench(root=tmp_path)
    assert app.split.parts == before.parts
    assert app._data._picker.code == line
    app._data._picker._hear({"do": "give", "region": "drawn-1", "part": "test"})
    assert "drawn-1" in app.split.test.regions
    closed(app)


def test_a_cell_that_gives_a_split_goes_on_from_what_was_changed_and_takes_another_one(
        split, tmp_path):
    app = Workbench(split, root=tmp_path)
    app._data._picker._hear({"do": "give", "region": "ghana", "part": "held_out"})
    app._session.step = "train"
    changed = app.split
    closed(app)
    again = Workbench(split, root=tmp_path)
    again._session.step = "data"
    assert again.split is changed
    closed(again)
    end_kernel()
    again = Workbench(split, root=tmp_path)
    assert again.split.parts == changed.parts
    again._session.step = "train"
    closed(again)
    other = split.dataset.split(hold_out=["spain"])
    app = Workbench(other, root=tmp_path)
    assert (app.split.parts, app._session.step) == (other.parts, "data")
    closed(app)


def test_what_waits_is_trained_by_the_next_kernel_and_once(split, tmp_path, monkeypatch):
    app = Workbench(split, root=tmp_path)
    for recipe in (SpectralIndex(), SpectralIndex(index="mndwi")):
        app._session.queue.add(recipe, app.split)
    app.refresh()
    assert [run.name for run in app.runs] == ["ndwi-0"]
    closed(app)
    end_kernel()
    app = Workbench(root=tmp_path)
    app.refresh()
    app.refresh()
    assert [run.name for run in app.runs] == ["ndwi-0", "mndwi-0"]
    assert kept(tmp_path)["waiting"] == []
    assert kept(tmp_path)["launched"] == ["ndwi-0", "mndwi-0"]
    closed(app)


def test_a_second_kernel_says_so_takes_nothing_and_takes_over_when_the_first_has_gone(
        split, tmp_path):
    app = Workbench(split, root=tmp_path)
    app._session.queue.add(SpectralIndex(), app.split)
    app._memory.keep()
    closed(app)
    first = module._KEPT.copy()
    module._KEPT.clear()  # as another kernel, while this one lives

    second = Workbench(root=tmp_path)
    assert "Another Workbench (process" in second._notice.value
    assert second.split.parts == split.parts
    assert second._session.queue.trainings == []
    second._session.recipe = Recipe(epochs=7)
    assert kept(tmp_path)["recipe"]["given"]["epochs"] == 100

    for _, memory in first.values():
        memory._file.release()
    second.refresh()
    assert second._notice.value == ""
    assert kept(tmp_path)["recipe"]["given"]["epochs"] == 7
    second.refresh()
    assert [run.name for run in second.runs] == ["ndwi-0"]
    closed(second)


def test_data_that_are_gone_are_said_stay_noted_and_come_back(tiny_floods, tmp_path, monkeypatch):
    monkeypatch.setattr(queue.Queue, "advance", lambda self: None)  # another run is under way
    moved = tmp_path / "data"
    shutil.copytree(Path(tiny_floods.info.source["images"]).parent, moved)
    source = json.loads(json.dumps(tiny_floods.info.source).replace(
        str(Path(tiny_floods.info.source["images"]).parent), str(moved)))
    app = Workbench(open_dataset(source), root=tmp_path / "runs")
    app._session.queue.add(Recipe(), app.split)
    app._memory.keep()
    before = app.split.parts
    closed(app)
    end_kernel()
    moved.rename(tmp_path / "elsewhere")

    app = Workbench(root=tmp_path / "runs")
    assert app.split is None
    assert "The data of before cannot be opened" in app._notice.value
    assert "1 training that waits cannot be opened" in app._notice.value
    app._session.recipe = Recipe(epochs=3)
    assert "The data of before cannot be opened" in app._notice.value
    closed(app)
    end_kernel()
    (tmp_path / "elsewhere").rename(moved)
    app = Workbench(root=tmp_path / "runs")
    assert app.split.parts == before
    assert app.recipe.epochs == 3
    assert [entry.recipe for entry in app._session.queue.waiting] == [Recipe()]
    assert app._notice.value == ""
    closed(app)


def test_data_that_have_changed_are_said(split, tmp_path):
    app = Workbench(split, root=tmp_path)
    closed(app)
    end_kernel()
    state = kept(tmp_path)
    state["data"]["hash"] = "0" * 64
    (tmp_path / ".workbench.json").write_text(json.dumps(state))
    app = Workbench(root=tmp_path)
    assert "The data have changed since they were chosen" in app._notice.value
    assert app.split.parts == split.parts
    app._data._picker._hear({"do": "give", "region": "ghana", "part": "held_out"})
    assert app._notice.value == ""
    closed(app)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', '{"recipe": {}}'])
def test_a_file_that_cannot_be_read_is_said_and_put_aside(split, tmp_path, text):
    (tmp_path / ".workbench.json").write_text(text)
    app = Workbench(split, root=tmp_path)
    assert "cannot be read and is put aside" in app._notice.value
    assert (tmp_path / ".workbench.unread.json").read_text() == text
    assert kept(tmp_path)["step"] == "data"
    closed(app)


@pytest.mark.parametrize("value", [None, 3, "x", [1], [{"split": "x"}], {"plan": {}},
                                   [{"recipe": {}, "split": "x"}], {"x": {"dataset": 3}}])
def test_no_damage_by_hand_is_a_traceback(split, tmp_path, value):
    closed(Workbench(split, root=tmp_path))
    end_kernel()
    whole = kept(tmp_path)
    for name in Kept.model_fields:
        (tmp_path / ".workbench.json").write_text(json.dumps({**whole, name: value}))
        file = StateFile(tmp_path, "workbench")
        memory = Memory(Session(tmp_path), file)
        memory.recall(open_catalog())
        memory.keep()
        file.release()
        assert kept(tmp_path)["format"] == 1


def test_a_folder_that_cannot_be_written_is_said(split, tmp_path):
    (tmp_path / "runs").write_text("a file")
    app = Workbench(split, root=tmp_path / "runs")
    assert "What you do here is not kept" in app._notice.value
    closed(app)


def test_each_key_and_each_folder_has_a_state_of_its_own_and_none_keeps_nothing(split, tmp_path):
    for key in ("a/b", "workbench"):
        app = Workbench(split, root=tmp_path, key=key)
        app._session.recipe = Recipe(epochs=len(key))
        closed(app)
    closed(Workbench(split, root=tmp_path / "other", key=None))
    assert not (tmp_path / "other").exists()
    end_kernel()
    app = Workbench(root=tmp_path, key="a/b")
    assert app.recipe.epochs == 3
    closed(app)
    assert (tmp_path / ".a%2Fb.json").exists()


def test_nothing_is_written_before_something_is_done(tmp_path):
    app = Workbench(root=tmp_path / "runs")
    app.refresh()
    closed(app)
    assert not (tmp_path / "runs").exists()


def test_what_is_said_is_escaped(tmp_path, split):
    (tmp_path / "<b>").write_text("a file")
    app = Workbench(split, root=tmp_path / "<b>")
    assert "&lt;b&gt;" in app._notice.value
    assert "<b>" not in app._notice.value
    closed(app)


@pytest.mark.slow
def test_a_kernel_that_is_killed_leaves_its_lock_and_its_state(split, tmp_path):
    closed(Workbench(split, root=tmp_path))
    end_kernel()
    code = (
        "import os, workbench as wb\n"
        f"app = wb.Workbench(root={str(tmp_path)!r})\n"
        "app._session.recipe = wb.Recipe(epochs=5)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], check=False)
    assert process.returncode == -9
    assert StateFile(tmp_path, "workbench").claim()
    app = Workbench(root=tmp_path, key="other")
    assert kept(tmp_path)["recipe"]["given"]["epochs"] == 5
    closed(app)
