"""The view of a study in a notebook and in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import workbench as wb
from workbench.events import EpochDone
from workbench.fitting import studyviews
from workbench.widgets import studying


@pytest.fixture
def study(tiny_floods, tmp_path):
    return wb.study({"<b>NDWI": wb.SpectralIndex()}, tiny_floods.split(hold_out=["bolivia"]),
                    root=tmp_path, name="water", device="cpu", plan=True, show=False)


EPOCH = EpochDone(epoch=2, train_loss=1.0, val_loss=1.0, val_miou=0.5, val_miou_by_region={},
                  lr=1e-3, best=True, duration_s=1.0, eta_s=61.0)


class Handle:
    """What a notebook's output would be told."""

    def __init__(self):
        self.pages = []

    def display(self, page):
        self.pages.append(page.data)

    def update(self, page):
        assert self.pages, "shown first"
        self.pages.append(page.data)


def test_a_notebook_shows_the_table_and_what_is_done_now_at_once_where_that_is_new(
        study, monkeypatch):
    monkeypatch.setattr(studying, "DisplayHandle", Handle)
    view = studying.NotebookStudy(study)
    view.update("<i>cell", EPOCH)
    view.update("<i>cell", EPOCH)
    pages = view._handle.pages
    assert len(pages) == 1, "once a second"
    assert "now: &lt;i&gt;cell · epoch 3, 1 min 01 s left" in pages[0]
    assert "&lt;b&gt;NDWI" in pages[0]
    assert "<i>" not in pages[0]
    view.say("trained: cell")
    view.update("scoring cell")
    view.close()
    assert len(pages) == 4
    assert "0 of 1 trainings done" in pages[1]
    assert "now: scoring cell" in pages[2]


def test_a_pipe_gets_a_line_a_cell_and_a_terminal_the_table(study):
    out = io.StringIO()
    view = studyviews.Terminal(study, Console(file=out, width=120))
    view.update("cell", EPOCH)
    view.say("trained: cell")
    view.close()
    (line,) = out.getvalue().splitlines()
    assert line.startswith("trained: cell · 0 of 1 trainings done")
    out = io.StringIO()
    view = studyviews.Terminal(study, Console(file=out, width=120, force_terminal=True))
    view.update("cell", EPOCH)
    view.close()
    assert "Study 'water'" in out.getvalue()
    assert "now: cell · epoch 3, 1 min 01 s left" in out.getvalue()


def test_nobody_looks_on_in_a_test_unless_asked():
    assert not studyviews.is_seen(False)
    assert studyviews.is_seen(True)
