from __future__ import annotations

import shutil

import pytest

from tests.runs.conftest import started, write
from workbench.errors import UnknownNameError
from workbench.events import RunFailed
from workbench.recipe import SpectralIndex
from workbench.runs import create, list_runs


@pytest.fixture
def root(run, split):
    create(run.folder.parent / "another", SpectralIndex(index="mndwi"), split, {})
    (run.folder.parent / "no run").mkdir()
    shutil.copytree(run.folder, run.folder.parent / ".half.x1.tmp")
    write(run, started())
    return run.folder.parent


def test_runs_are_listed_by_name(root):
    runs = list_runs(root)
    assert [run.name for run in runs] == ["another", "index"]
    assert runs["index"].name == runs[1].name == "index"
    assert [run.name for run in runs[:1]] == ["another"]


def test_an_unknown_run_is_an_error_with_the_nearest(root):
    with pytest.raises(UnknownNameError, match="Did you mean 'index'"):
        list_runs(root)["indx"]


def test_the_table_shows_every_run(root):
    for shown in (repr(list_runs(root)), list_runs(root)._repr_html_()):
        assert "another" in shown
        assert "0 of 2" in shown


def test_a_damaged_run_does_not_hide_the_others(root):
    (root / "another" / "evaluation").mkdir()
    (root / "another" / "evaluation" / "summary.json").write_text("{")
    shown = repr(list_runs(root))
    assert "is not valid JSON" in shown
    assert "0 of 2" in shown


def test_no_folder_means_no_runs(tmp_path):
    assert len(list_runs(tmp_path / "none")) == 0
    assert repr(list_runs(tmp_path / "none")) == "no runs"


def test_a_long_error_is_shortened_in_the_table(root, run):
    write(run, RunFailed(error="ValueError: " + "why " * 50, traceback=""))
    table = repr(list_runs(root))
    assert "failed: ValueError: why" in table
    assert "…" in table
    assert max(map(len, table.splitlines())) < 250
