"""The figures of a comparison: gap, class by region, reliability, cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.evaluation.conftest import synthetic
from workbench.errors import DataError
from workbench.evaluation import Comparison, Scores, compare
from workbench.plots import PLOTS, gap, heatmap, pareto, reliability, render, style


def scores(name: str, number: int, **options) -> Scores:
    made = synthetic(name, skill=2.5 - 0.3 * number, noise=number, **options)
    histograms = np.zeros((len(made.chips), 15, 3))
    histograms[:, 14] = 900, 870, 840
    histograms[:, 10] = 100, 70, 60 + number
    return dataclasses.replace(made, reliability=histograms)


COMPARISON = compare([scores("lora", 0), scores("full", 1), scores("ndwi", 4, baseline=True)])


def priced(comparison: Comparison = COMPARISON):
    """Costs as runs would have them: the index costs nothing."""
    table = pareto.data(comparison)
    table["trainable_parameters"] = [1e4, 1e7, 0]
    table["memory_bytes"], table["train_s"] = [2e9, 4e9, np.nan], [60.0, 90.0, np.nan]
    return table


@pytest.mark.parametrize("kind", ["gap", "heatmap", "reliability", "regions"])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_any_number_of_runs_is_drawn_in_both_themes(kind, count):
    comparison = compare([scores(f"run {number}", number % 5) for number in range(count)])
    table = PLOTS[kind].data(comparison)
    for theme in ("light", "dark"):
        assert render(PLOTS[kind], table, theme=theme).axes


def test_the_gap_shows_both_scores_and_their_difference_with_its_interval():
    figure = render(PLOTS["gap"], gap.data(COMPARISON))
    both, gaps = figure.axes
    known = COMPARISON.gap().sort_values("gap", ascending=False)
    drawn = [line.get_xdata()[0] for line in gaps.lines if line.get_marker() == "o"]
    assert drawn == pytest.approx(100 * known["gap"])
    labels = [label.get_text() for label in both.get_yticklabels()]
    assert [label.split("\n")[0] for label in labels] == known["run"].tolist()
    assert "ndwi\n(baseline)" in labels


def test_colours_of_a_run_are_the_same_in_every_figure():
    colour = style.LIGHT.runs[0]
    figures = [render(PLOTS["gap"], gap.data(COMPARISON)), render(PLOTS["pareto"], priced())]
    for figure in figures:
        assert colour in {line.get_color() for axes in figure.axes for line in axes.lines}
    handles = render(PLOTS["reliability"], reliability.data(COMPARISON)).axes[0].legend_
    assert handles.legend_handles[0].get_color() == colour


def test_without_anything_held_out_there_is_no_gap():
    with pytest.raises(DataError, match="no gap to draw"):
        gap.data(compare([scores("lora", 0, held_out=0)]))


def test_the_heat_map_has_a_number_for_every_class_and_place_of_every_run():
    table = heatmap.data(COMPARISON)
    figure = render(PLOTS["heatmap"], table)
    panels = figure.axes[:3]
    assert [axes.get_title(loc="left") for axes in panels] == ["lora", "full", "ndwi"]
    words = [text.get_text() for text in panels[0].texts]
    assert len(words) == 2 * 7
    worst = table["place"].iloc[0]
    expected = COMPARISON.table().set_index(["run", "region"])["iou_land"]["lora", worst]
    assert words[0] == f"{100 * expected:.0f}"
    assert "H0 (held out)" in [label.get_text() for label in panels[0].get_yticklabels()]


def test_reliability_stands_with_the_calibration_error_of_each_part():
    table = reliability.data(COMPARISON)
    lora = table[(table["run"] == "lora") & (table["part"] == "held out")]
    assert lora["confidence"].tolist() == pytest.approx([0.7, 870 / 900])
    assert lora["accuracy"].tolist() == pytest.approx([0.6, 840 / 900])
    assert lora["ece"].iloc[0] == pytest.approx(0.04)
    labels = [text.get_text() for text in
              render(PLOTS["reliability"], table).axes[1].legend_.get_texts()]
    assert labels[0] == "lora: 4.0"


def test_scores_without_histograms_say_how_to_get_them():
    with pytest.raises(DataError, match=r"wb\.evaluate\(run\) makes them again"):
        reliability.data(compare([synthetic()]))


def test_every_run_with_a_price_has_a_mark_and_what_is_free_a_line():
    figure = render(PLOTS["pareto"], priced())
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear", "linear"]
    for axes in figure.axes:
        marks = [line for line in axes.lines if line.get_marker() in ("o", "s", "D")]
        assert len(marks) == 2
        assert [line.get_linestyle() for line in axes.lines].count("--") == 1
    assert "held out" in figure.axes[0].get_ylabel()


def test_the_line_of_best_value_rises():
    table = priced()
    table["score"] = [0.7, 0.9, 0.5]
    (step,) = [line for line in render(PLOTS["pareto"], table).axes[0].lines
               if line.get_drawstyle() == "steps-post"]
    assert step.get_ydata() == pytest.approx([70, 90])


def test_costs_of_scores_alone_are_not_known():
    table = pareto.data(COMPARISON)
    table["trainable_parameters"] = 0
    with pytest.raises(DataError, match="Nothing is known of what these runs cost"):
        render(PLOTS["pareto"], table)
    with pytest.raises(DataError, match="score='test'"):
        pareto.data(COMPARISON, score="test")
