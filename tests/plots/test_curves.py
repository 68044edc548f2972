from __future__ import annotations

import pytest

from workbench.errors import DataError
from workbench.events import RunResumed, StepDone
from workbench.plots import curves, plot


def values(table, quantity):
    return table.loc[table["quantity"] == quantity, "value"].tolist()


def test_the_table_says_what_the_events_say(make_events):
    table = curves.data(make_events(epochs=3))
    assert values(table, "val_miou") == pytest.approx([0.5, 0.6, 0.7])
    assert values(table, "val_miou/ghana") == pytest.approx([0.4, 0.5, 0.6])
    assert len(values(table, "step_loss")) == 12
    assert table.loc[table["quantity"] == "train_loss", "epoch"].tolist() == [1.0, 2.0, 3.0]


def test_what_a_resumed_run_superseded_is_not_drawn(make_events):
    events = make_events(epochs=2)
    again = StepDone(step=5, epoch=1, loss=0.5, lr=1e-3, samples_per_s=1.0, host_rss_bytes=1)
    table = curves.data([*events, RunResumed(step=4, epoch=1, device="cpu"), again])
    assert len(values(table, "step_loss")) == 5
    assert len(values(table, "val_loss")) == 1


def test_several_runs_share_axes_and_are_named(make_events):
    figure = plot({"lora": make_events(), "full": make_events(loss=2.0)}, "curves")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lora", "full"]


def test_a_region_without_a_score_leaves_a_gap_not_a_zero(make_events):
    table = curves.data(make_events())
    assert table.loc[table["quantity"] == "val_miou/spain", "value"].isna().all()


def test_a_run_without_a_step_says_so(make_events):
    with pytest.raises(DataError, match="done no step"):
        plot(make_events()[:1], "curves")
