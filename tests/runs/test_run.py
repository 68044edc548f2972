from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tests.conftest import HLS
from tests.runs.conftest import epoch, finished, started, step, write
from workbench.data import Dataset
from workbench.errors import RunError, RunExistsError, SplitError
from workbench.events import RunFailed, RunStopped, WarningRaised
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create, folder, open_run
from workbench.runs.lock import writing
from workbench.storage import read_json, write_json


def test_a_run_says_what_it_was_made_of(run, split):
    opened = open_run(run.folder)
    assert opened.name == "index"
    assert opened.recipe == SpectralIndex()
    assert opened.bands == ("GREEN", "NIR_NARROW")
    assert [entry.name for entry in opened.classes] == ["land", "water"]
    assert opened.split.parts == split.parts


def test_facts_need_no_data(run, tiny_folder):
    moved = read_json(run.folder / "split.json")
    moved["dataset"]["source"] = {"kind": "folder", "images": "gone"}
    write_json(run.folder / "split.json", moved)
    opened = open_run(run.folder)
    assert opened.info.name == "tiny-floods"
    assert "killed" in repr(opened)


def test_a_run_whose_data_have_moved_is_opened_with_them(tiny_folder, tmp_path):
    def opened(folder):
        return Dataset.from_folder(
            str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
            classes=["land", "water"], region="{region}_{number}_S2", scale=1e-4, name="moving",
        )

    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(tiny_folder, before)
    split = opened(before).split(hold_out=["bolivia"])
    create(tmp_path / "run", SpectralIndex(), split, {"bands": [], "device": "cpu"})
    before.rename(after)
    with pytest.raises(SplitError, match=r"moved.*wb\.open_run\(folder, dataset=…\) for a run"):
        _ = open_run(tmp_path / "run").split
    moved = open_run(tmp_path / "run", dataset=opened(after)).split
    assert moved.parts == split.parts
    chip = split.parts["test"][0]
    assert moved.test.read(chip).image.shape == (6, 32, 32)
    with pytest.raises(SplitError, match="does not have"):
        open_run(tmp_path / "run", dataset=opened(after).select(split.parts["train"]))


def test_the_environment_is_written_down(run):
    environment = read_json(run.folder / "environment.json")
    assert environment["packages"]["torch"]
    assert {"python", "platform", "device", "threads"} <= set(environment)


def test_an_existing_folder_is_refused(run, split):
    with pytest.raises(RunExistsError, match=r"already there.*wb\.resume.*another name"):
        create(run.folder, SpectralIndex(), split, {})


def test_of_two_that_make_one_folder_at_one_moment_the_later_is_refused(
    split, tmp_path, monkeypatch
):
    def slow(*given) -> None:
        monkeypatch.undo()
        create(tmp_path / "run", SpectralIndex(), split, {"bands": []})
        folder._describe(*given)

    monkeypatch.setattr(folder, "_describe", slow)
    with pytest.raises(RunExistsError, match="already there"):
        create(tmp_path / "run", SpectralIndex(threshold=0.5), split, {"bands": []})
    assert open_run(tmp_path / "run").recipe == SpectralIndex()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_not_a_run_folder_is_said(tmp_path):
    with pytest.raises(RunError, match=r"no run folder .*nowhere"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"has no recipe\.json and no split\.json"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "killed"),
        ([started(), step(1)], "killed"),
        ([started(), RunStopped(reason="asked")], "stopped"),
        ([started(), RunFailed(error="ValueError: x", traceback="")], "failed"),
        ([started(), epoch(0), finished()], "finished"),
    ],
)
def test_the_state_of_a_run_without_a_writer(run, events, state):
    write(run, *events)
    assert run.state == state


def test_a_run_with_a_live_writer_is_running(run):
    with writing(run.folder):
        write(run, started(), step(1))
        assert run.state == "running"
    assert run.state == "killed"


def test_a_run_that_has_only_warned_so_far_is_running(run):
    with writing(run.folder):
        write(run, WarningRaised(message="few chips"))
        assert run.state == "running"
        assert "state running" in repr(run)


def test_history_has_a_row_a_step_and_a_row_an_epoch(run):
    write(run, started(), step(1), step(2), epoch(0), step(3))
    steps, epochs = run.history()
    assert steps["step"].tolist() == [1, 2, 3]
    assert epochs["val_miou/ghana"].tolist() == [0.5]
    assert epochs["val_iou/water"].tolist() == [0.2]
    write(run, step(4))
    assert run.history().steps["step"].tolist() == [1, 2, 3, 4]


def test_watched_regions_have_columns_of_their_own(run):
    write(run, started(), replace(epoch(0), held_out_miou_by_region={"bolivia": 0.4}))
    assert run.history().epochs["held_out_miou/bolivia"].tolist() == [0.4]
    assert not any(isinstance(value, dict) for value in run.history().epochs.iloc[0])


def test_history_of_a_run_that_did_nothing_is_empty(run):
    assert all(table.empty for table in run.history())


def test_reprs_show_progress_scores_and_cost(run):
    write(run, started(), step(1), epoch(0, 0.71234), epoch(1), finished())
    write_json(run.folder / "evaluation" / "summary.json",
               {"test": {"miou": 0.8312}, "held_out": {"miou": 0.744}})
    for shown in (repr(run), run._repr_html_()):
        for fact in ("finished", "2 of 2", "83.1 %", "74.4 %", "1.2 k", "3.1 M", "600.0 MB", "4 s",
                     "index"):
            assert fact in shown
    assert "SpectralIndex()" in run._repr_html_()


def test_a_failed_run_says_why(run):
    write(run, started(), RunFailed(error="ValueError: <odd>", traceback=""))
    assert "failed: ValueError: <odd>" in repr(run)
    assert "&lt;odd&gt;" in run._repr_html_()


def test_a_run_is_found_from_another_working_directory(run, tmp_path, monkeypatch):
    write(run, started(), finished())
    monkeypatch.chdir(run.folder.parent)
    opened = open_run(run.folder.name)
    assert f"folder {run.folder.name}" in repr(opened)
    monkeypatch.chdir(tmp_path)
    assert opened.state == "finished"


def test_a_run_folder_can_be_moved(run, tmp_path):
    write(run, started(), finished())
    moved = shutil.move(run.folder, tmp_path / "elsewhere")
    assert open_run(moved).state == "finished"
    assert Run(tmp_path / "elsewhere").name == "elsewhere"
