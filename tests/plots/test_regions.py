from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.plots import PLOTS, regions, render


def marks(axes):
    return [line for line in axes.lines if line.get_marker() not in ("None", "") and line.get_ls()
            == "None"]


def test_a_score_without_an_interval_is_hollow(scores):
    figure = render(PLOTS["regions"], scores[scores["run"] == "lora"])
    detail = figure.axes[1]
    hollow = [line.get_xdata()[0] for line in marks(detail)
              if line.get_markerfacecolor() == "#ffffff"]
    assert hollow == pytest.approx([77.0])


def test_every_score_has_one_mark_and_every_interval_one_bar(scores):
    figure = render(PLOTS["regions"], scores)
    detail = figure.axes[1]
    bars = [line for line in detail.lines if len(line.get_xdata()) == 2]
    assert len(marks(detail)) == 9
    assert len(bars) == 6


def test_the_held_out_region_stands_on_top(scores):
    figure = render(PLOTS["regions"], scores)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["Spain", "Ghana", "Bolivia\nheld out"]


def test_a_narrow_figure_puts_the_regions_below(scores):
    figure = render(PLOTS["regions"], scores, width=4, height=7)
    summary, detail = figure.axes[:2]
    assert summary.get_position().y0 > detail.get_position().y1


def test_a_missing_score_is_left_out(scores):
    scores.loc[scores["region"] == "Ghana", ["miou", "low", "high"]] = np.nan
    figure = render(PLOTS["regions"], scores)
    assert len(marks(figure.axes[1])) == 6


def test_no_scores_at_all_say_so(scores):
    with pytest.raises(DataError, match="none of the runs has been evaluated"):
        render(PLOTS["regions"], scores[:0])


def test_columns_are_those_of_the_table(scores):
    assert list(scores) == regions.COLUMNS


def test_colours_and_markers_belong_to_their_run_in_any_order(scores):
    turned = scores.iloc[::-1]
    figure = render(PLOTS["regions"], turned)
    looks = {line.get_label(): line.get_marker() for line in figure.axes[2].legend_.legend_handles}
    assert looks == {"ndwi": "D", "full": "o", "lora": "o"}


def test_ten_runs_all_look_different(scores):
    lora = scores[scores["run"] == "lora"]
    many = pd.concat([lora.assign(run=f"run {place}") for place in range(10)])
    figure = render(PLOTS["regions"], many)
    handles = figure.axes[2].legend_.legend_handles
    assert len({(handle.get_color(), handle.get_marker()) for handle in handles}) == 10
