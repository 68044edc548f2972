"""What a training costs, beside the form: rough, then measured, and never of another recipe."""

from __future__ import annotations

import dataclasses

import pytest

from workbench.data import Dataset, Split
from workbench.estimation import Estimate, Estimator, estimating
from workbench.estimation.costs import Memory
from workbench.estimation.epochs import Times
from workbench.estimation.machine import Room
from workbench.estimation.remedies import Remedy
from workbench.recipe import Recipe
from workbench.widgets.configure import configure
from workbench.widgets.costs import Costs, costs_html

RECIPE = Recipe(epochs=20)
MEMORY = Memory(10**9, 0, 10**8, 4 * 10**8, 0, 0, "measured")
TIMES = Times(2.0, 30, 61.0, 60.0, 1200.0, 900.0, "measured", None)
TOLD = Estimate(RECIPE, "cpu", 1_200_000, 4_000_000, 1_000_000, 4_900_000, MEMORY, TIMES,
                Room(8 * 10**9, 5 * 10**9), True, hints=("Prompts cost <much>.",))  # fmt: skip


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


def test_parameters_memory_time_and_disk_stand_side_by_side():
    page = costs_html(TOLD)
    for words in ("1.2 M", "of 4.0 M parameters", "1.5 GB", "5.0 GB are free", "20 min",
                  "at most: 20 × 1 min", "4.9 MB", "adapter 1.0 MB",
                  "on cpu, measured in real steps", "Prompts cost &lt;much&gt;."):
        assert words in page


def test_what_does_not_fit_says_what_would():
    smaller = dataclasses.replace(MEMORY, activations=0)
    way = Remedy("batch_size=4", RECIPE, smaller, 1.0, True, "steps")
    page = costs_html(dataclasses.replace(TOLD, fits=False, remedies=(way,)))
    assert "It does not fit into memory. What needs less: batch_size=4 (1.1 GB)." in page
    assert 'role="alert"' in page


def test_before_the_first_estimate_it_says_what_is_done():
    assert "estimating" in costs_html(None, "estimating…")
    assert costs_html(None) == ""


class Estimating:
    """Stands for the estimator, with the process left out."""

    def __init__(self, split: Split) -> None:
        self.asked: list[tuple[str, Recipe]] = []
        self.closed = False

    def quick(self, recipe: Recipe) -> Estimate:
        self.asked.append(("quick", recipe))
        return TOLD

    def estimate(self, recipe: Recipe) -> Estimate:
        self.asked.append(("whole", recipe))
        return TOLD

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def costs(split: Split, monkeypatch: pytest.MonkeyPatch) -> Costs:
    monkeypatch.setattr("workbench.widgets.costs.Estimator", Estimating)
    return Costs(split)


def test_a_recipe_is_told_roughly_at_once_then_measured(costs):
    costs.ask(RECIPE)
    assert "estimating memory and time…" in costs.box.value
    costs.wait()
    assert costs._estimator.asked == [("quick", RECIPE), ("whole", RECIPE)]
    assert "measured in real steps" in costs.box.value
    costs.ask(RECIPE.but(epochs=5))
    assert "wb-stale" in costs.box.value, "what stands there is of another recipe"
    costs.wait()
    costs.close()
    assert costs._estimator.closed


def test_a_recipe_that_is_not_wanted_any_more_is_not_measured(costs):
    costs._wanted = RECIPE.but(epochs=3)
    costs._work(RECIPE)
    assert costs._estimator.asked == [("quick", RECIPE)]


def test_a_process_that_was_asked_to_end_while_it_works_ends_afterwards(costs, monkeypatch):
    quick = Estimating.quick
    monkeypatch.setattr(Estimating, "quick",
                        lambda self, recipe: costs.close() or quick(self, recipe))
    costs._wanted = RECIPE
    costs._work(RECIPE)
    assert costs._estimator.asked == [("quick", RECIPE)]
    assert costs._estimator.closed


def test_one_who_rests_at_a_new_question_still_measures(costs):
    costs._wanted = RECIPE
    costs._rest()  # its time was up in the moment of asking
    costs._work(RECIPE)
    assert costs._estimator.asked == [("quick", RECIPE), ("whole", RECIPE)]


def test_what_nobody_expected_is_told_and_reported(costs, monkeypatch):
    reported = []
    monkeypatch.setattr("threading.excepthook", reported.append)
    monkeypatch.setattr(Estimating, "quick", lambda self, recipe: {}["memory"])
    costs._work(RECIPE)
    assert "Unexpected KeyError" in costs.box.value
    assert [report.exc_type for report in reported] == [KeyError]


def test_a_split_that_cannot_be_trained_on_is_said(split):
    empty = dataclasses.replace(split, parts={**split.parts, "val": ()})
    costs = Costs(empty)
    costs.ask(RECIPE)
    costs.wait()
    assert 'role="alert"' in costs.box.value
    assert costs.value is None


def test_the_form_tells_costs_once_it_is_shown(split, monkeypatch):
    monkeypatch.setattr("workbench.widgets.costs.Estimator", Estimating)
    panel = configure(split)
    assert panel._costs.box.value == ""
    panel.tell_costs()
    panel.wait()
    assert panel._costs._estimator.asked[-1] == ("whole", panel.value)
    panel.value = panel.value.but(epochs=7)
    panel.wait()
    assert panel._costs._estimator.asked[-1][1].epochs == 7
    panel.close()


@pytest.mark.slow
def test_several_recipes_are_estimated_in_one_process(split, monkeypatch):
    opened = []
    forecast = estimating.Forecast
    monkeypatch.setattr(estimating, "Forecast",
                        lambda *given: opened.append(given) or forecast(*given))
    with Estimator(split) as estimator:
        rough = estimator.quick(Recipe(decoder="linear"))
        measured = estimator.estimate(Recipe(decoder="linear"))
        other = estimator.estimate(Recipe(decoder="linear", peft="bitfit"))
    assert len(opened) == 1
    assert (rough.memory.basis, measured.memory.basis) == ("analytical", "measured")
    assert rough.trainable == measured.trainable > other.trainable
