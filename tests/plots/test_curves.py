from __future__ import annotations

import dataclasses

import pytest

from workbench.errors import DataError
from workbench.events import EpochDone, RunResumed, StepDone
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


def test_a_watched_held_out_region_is_called_so(make_events):
    events = make_events(epochs=2)
    watched = [dataclasses.replace(event, held_out_miou_by_region={"bolivia": 0.4})
               if isinstance(event, EpochDone) else event for event in events]
    figure = plot(watched, "curves")
    assert "Bolivia (held out)" in [text.get_text() for text in figure.axes[1].texts]
    assert values(curves.data(watched), "held_out_miou/bolivia") == [0.4, 0.4]


def test_memory_of_a_device_comes_with_its_peak_and_the_capacity(make_events):
    on_device = dict(device_memory_bytes=2 * 10**9, device_peak_bytes=3 * 10**9,
                     device_capacity_bytes=24 * 10**9)
    events = [dataclasses.replace(event, **on_device) if isinstance(event, StepDone) else event
              for event in make_events(epochs=1)]
    assert set(values(curves.data(events), "memory_peak")) == {3e9}
    assert "of 24 on the device" in plot(events, "curves").axes[3].get_title(loc="left")


def test_names_that_would_overlap_are_moved_apart_and_stay_in_order():
    placed = curves.spread([70.0, 70.1, 90.0, 69.9], 2.0)
    assert placed[3] < placed[0] < placed[1] < placed[2] == 90.0
    assert min(abs(placed[0] - placed[1]), abs(placed[0] - placed[3])) > 1.9
