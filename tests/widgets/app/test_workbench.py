"""The Workbench: each step goes on from the others; nothing is lost when its cell runs again."""

from __future__ import annotations

from pathlib import Path

import pytest

import workbench as wb
from workbench.data import Dataset, Split
from workbench.errors import DataError, UnknownNameError
from workbench.fitting import fit
from workbench.recipe import Recipe, SpectralIndex
from workbench.widgets import app as module
from workbench.widgets.app import Workbench, queue


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another one did, and none starts a process to estimate in."""
    monkeypatch.setattr(module, "_KEPT", {})
    monkeypatch.setattr("workbench.widgets.configure.Configure.tell_costs", lambda self: None)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process: what a launched run is was tested elsewhere."""
    monkeypatch.setattr(
        queue, "launch", lambda recipe, split, root: fit(recipe, split, root=root, show=False))


def opened(app: Workbench, step: str) -> Workbench:
    app._header._handle_custom_msg({"open": step}, [])
    app._steps["data"]._picker.wait()
    return app


def words(app: Workbench) -> dict[str, str]:
    return {step["name"]: step["said"] for step in app._header.steps}


def text(widget: object) -> str:
    """Return all HTML and captions below a widget."""
    own = [getattr(widget, name, "") for name in ("value", "description")]
    inner = [text(child) for child in getattr(widget, "children", ())]
    return " ".join([*(part for part in own if isinstance(part, str)), *inner])


def test_an_empty_start_says_at_every_step_what_to_do_first(tmp_path):
    app = Workbench(root=tmp_path)
    assert app.value[:2] == (None, Recipe())
    assert len(app.value.runs) == 0
    assert app.value.comparison is None
    assert "Open a collection" in text(app._body)
    opened(app, "compare")
    assert "Nothing to compare yet" in text(app._body)
    opened(app, "train")
    assert "Choose data first" in text(app._body)
    opened(app, "model")
    assert "costs is told once data are chosen" in text(app._body)
    assert "Choose data first" in app.code
    app.close()


def test_data_to_model_to_runs_to_comparison(split, tmp_path, here):
    app = Workbench(split, root=tmp_path)
    assert app.split.parts == split.parts
    assert "Bolivia held out" in words(app)["data"]
    opened(app, "model")
    form = app._steps["model"]._panel
    form.value = Recipe(peft="linear_probe", decoder="linear", epochs=1)
    assert app.recipe == form.value
    opened(app, "train")
    train = app._steps["train"]
    train._buttons.children[0].click()
    assert words(app)["train"] == "1 waiting"
    assert [row["state"] for row in app._rows.waiting] == ["waiting"]
    app._session.queue.add(SpectralIndex(), app.split)
    app.refresh()
    app.refresh()
    assert [run.state for run in app.runs] == ["finished", "finished"]
    assert words(app)["train"] == "2 finished"
    assert [row["state"] for row in app._rows.rows] == ["finished", "finished"]
    assert not train._onward.disabled
    opened(app, "compare")
    app._steps["compare"].wait()
    assert app.comparison.runs == [run.name for run in app.runs]
    assert "bolivia" in text(app._body).lower()
    assert app._steps["compare"]._map is not None
    assert "wb.compare([workbench_tiny_linear_probe_linear, ndwi" in app.code

    # Ticks decide what is compared.
    name = app.runs[0].name
    app._rows._handle_custom_msg({"chosen": [name]}, [])
    app._steps["compare"].wait()
    assert app.comparison.runs == [name]

    # The cell runs again.
    again = Workbench(split, root=tmp_path)
    app.close()
    assert (again.recipe, [run.name for run in again.runs]) == (form.value, [name])
    assert again._session.step == "compare"
    again._steps["compare"].wait()
    again.close()
    assert len(wb.list_runs(tmp_path)) == 2


def test_a_fresh_key_starts_fresh_and_lists_the_runs_of_the_folder(split, tmp_path, here):
    fit(SpectralIndex(), split, root=tmp_path, show=False)
    app = Workbench(root=tmp_path, key=None)
    opened(app, "train")
    app.refresh()
    assert [row["name"] for row in app._rows.rows] == ["ndwi-0"]
    assert "Tick the runs to compare." in text(app._body)
    assert "Choose data in step 1 to train more." in text(app._body)
    app.close()


def test_what_cannot_be_trained_is_said_beside_the_button(tiny_floods, tmp_path):
    alone = tiny_floods.split(fractions=(1.0, 0.0, 0.0))
    app = Workbench(alone, root=tmp_path)
    opened(app, "train")
    app._steps["train"]._buttons.children[0].click()
    assert "The part &#x27;val&#x27; has no chips" in app._steps["train"]._problem.value
    assert app._session.queue.trainings == []
    app.close()


def test_a_damaged_run_does_not_hide_the_others(split, tmp_path, here):
    fit(SpectralIndex(), split, root=tmp_path, show=False)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "recipe.json").write_text("{")
    silenced = fit(SpectralIndex(), split, root=tmp_path, name="silenced", show=False)
    with (silenced.folder / "events.jsonl").open("a") as file:
        file.write("damaged\n")
    app = Workbench(root=tmp_path, key=None)
    rows = {row["name"]: row for row in app._rows.rows}
    assert {name: row["state"] for name, row in rows.items()} == {
        "ndwi-0": "finished", "broken": "unreadable", "silenced": "unreadable"}
    assert "is damaged in line" in rows["silenced"]["said"]
    app._tick(("ndwi-0", "silenced"))
    app._open("train")
    assert [run["state"] for run in app._steps["train"]._board.widget.runs] == [
        "finished", "unreadable"]
    app._open("compare")
    assert [run.name for run in app._steps["compare"].runs] == ["ndwi-0"]
    app.close()


def test_what_a_run_says_is_escaped(tmp_path: Path, split: Split):
    app = Workbench(split, root=tmp_path / "<b>")
    assert "<b>" not in app._code.value.replace("<pre>", "")
    app.close()


def test_closing_leaves_trainings_and_state(split, tmp_path):
    app = Workbench(split, root=tmp_path)
    app._session.queue.add(Recipe(), split)
    app.close()
    again, _ = module._session(tmp_path.absolute(), "workbench")
    assert [training.recipe for training in again.queue.waiting] == [Recipe()]


def test_a_source_that_is_none_is_refused_before_anything_is_shown(tmp_path):
    with pytest.raises(DataError, match="a dataset or a split, not a int"):
        Workbench(5, root=tmp_path)
    with pytest.raises(UnknownNameError, match="simulated-floods"):
        Workbench("simulated-flods", root=tmp_path)


def test_other_data_that_a_cell_gives_take_the_place_of_those_that_were_open(split, tmp_path):
    app = Workbench(split, root=tmp_path)
    app._session.step = "train"
    app.close()
    few = split.dataset.select(region=["ghana", "spain"])
    again = Workbench(few, root=tmp_path)
    assert again._session.step == "data"
    assert again.split.dataset.regions == ["ghana", "spain"]
    again.wait()
    again.close()
