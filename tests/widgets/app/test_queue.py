"""Trainings one after the other; what cannot begin says why and stops nobody."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from workbench.data import Dataset, Split
from workbench.errors import SplitError
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create, open_run
from workbench.widgets.app import Workbench
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


def test_one_that_is_dropped_while_it_is_launched_is_a_run_that_stays(
        split, states, tmp_path, monkeypatch):
    queue, launch, clicks = Queue(tmp_path), module.launch, []

    def clicked_meanwhile(*given: object, **how: object) -> Run:
        clicks.append(threading.Thread(target=queue.drop, args=[training]))
        clicks[0].start()
        return launch(*given, **how)

    monkeypatch.setattr(module, "launch", clicked_meanwhile)
    training = queue.add(SpectralIndex(), split)
    run = queue.advance()
    clicks[0].join(60)
    assert queue.trainings == [training]
    assert training.run is run


def test_a_click_on_a_row_that_was_launched_meanwhile_drops_no_other(split, states, tmp_path):
    app = Workbench(root=tmp_path, key=None)
    first, second = (app._session.queue.add(SpectralIndex(index=name), split)
                     for name in ("ndwi", "mndwi"))
    app._list()
    seen = [row["key"] for row in app._rows.waiting]
    app._session.queue.advance()
    app._drop(seen[0])
    assert app._session.queue.trainings == [first, second]
    app._drop(seen[1])
    assert app._session.queue.trainings == [first]
    app.close()
