"""Trainings one after the other; what cannot begin says why and stops nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.data import Dataset, Split
from workbench.errors import SplitError
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create, open_run
from workbench.widgets.app import queue as module
from workbench.widgets.app.queue import Queue


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Say how runs stand; launching makes a folder and trains nothing."""
    said: dict[str, str] = {}

    def launch(recipe: SpectralIndex, split: Split, *, root: Path) -> Run:
        folder = root / recipe.name
        create(folder, recipe, split, {"bands": ["GREEN", "NIR_NARROW"], "device": "cpu"})
        said[recipe.name] = "running"
        return open_run(folder)

    monkeypatch.setattr(module, "launch", launch)
    monkeypatch.setattr(Run, "state", property(lambda run: said[run.name]))
    return said


def test_the_next_begins_when_nothing_is_under_way(split, states, tmp_path):
    queue = Queue(tmp_path)
    first, second = (queue.add(SpectralIndex(index=name), split) for name in ("ndwi", "mndwi"))
    assert queue.advance().name == first.run.name
    assert queue.advance() is None
    assert queue.waiting == [second]
    states[first.run.name] = "finished"
    assert queue.advance() is second.run
    assert queue.waiting == []
    assert queue.advance() is None


@pytest.mark.parametrize(("state", "begins"), [("starting", False), ("paused", True),
                                               ("failed", True), ("killed", True)])
def test_only_what_computes_is_waited_for(split, states, tmp_path, state, begins):
    queue = Queue(tmp_path)
    first = queue.add(SpectralIndex(), split)
    queue.advance()
    states[first.run.name] = state
    queue.add(SpectralIndex(index="mndwi"), split)
    assert (queue.advance() is not None) == begins


def test_what_cannot_begin_says_why_and_the_next_one_does(split, states, tmp_path, monkeypatch):
    launch = module.launch

    def refuse(recipe: SpectralIndex, split: Split, *, root: Path) -> Run:
        if recipe.index == "ndwi":
            raise SplitError("The part 'val' has no chips.")
        return launch(recipe, split, root=root)

    monkeypatch.setattr(module, "launch", refuse)
    queue = Queue(tmp_path)
    bad, good = (queue.add(SpectralIndex(index=name), split) for name in ("ndwi", "mndwi"))
    assert queue.advance() is None
    assert bad.error == "The part 'val' has no chips."
    assert queue.advance() is good.run
    queue.drop(bad)
    assert queue.trainings == [good]


def test_a_training_that_waits_can_be_dropped_and_a_run_cannot(split, states, tmp_path):
    queue = Queue(tmp_path)
    first, second = (queue.add(SpectralIndex(index=name), split) for name in ("ndwi", "mndwi"))
    queue.advance()
    queue.drop(first)
    queue.drop(second)
    assert queue.trainings == [first]
