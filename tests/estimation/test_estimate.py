"""What wb.estimate says, and that a recipe made to fit does."""

from __future__ import annotations

import contextlib
import dataclasses
import re

import psutil
import pytest

from workbench.assembly import describe
from workbench.data import Split
from workbench.errors import BandError, RecipeError
from workbench.estimation import Estimate, estimate
from workbench.estimation.estimating import Estimator
from workbench.estimation.forecast import Forecast
from workbench.estimation.machine import Room
from workbench.recipe import Recipe, SpectralIndex

RECIPE = Recipe(decoder="linear", epochs=20)


@pytest.fixture(scope="module")
def told(tiny_floods) -> Estimate:
    return estimate(RECIPE, tiny_floods.split(hold_out=["bolivia"]))


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave less memory than the recipe takes, and more than it takes with one chip at once."""
    monkeypatch.setattr(Forecast, "_look", lambda self: Room(30_000_000, 22_000_000))


def test_counts_and_sizes_are_those_of_the_diagram(told: Estimate, split: Split) -> None:
    diagram = describe(RECIPE, classes=2, bands=split.dataset.bands, image_size=32)
    assert (told.trainable, told.total) == (diagram.trainable, diagram.total)
    assert (told.adapter_bytes, told.checkpoint_bytes) == (
        diagram.adapter_bytes, diagram.checkpoint_bytes,
    )  # fmt: skip


def test_memory_and_time_are_measured_and_add_up(told: Estimate, split: Split) -> None:
    assert told.fits
    assert told.memory is not None
    assert told.memory.basis == "measured"
    assert sum(told.memory.parts.values()) == told.memory.total
    assert told.times is not None
    assert told.times.basis == "measured"
    assert told.times.steps == -(-len(split.train) // 8)
    assert told.times.earliest_s <= told.times.total_s
    assert told.times.total_s == pytest.approx(
        told.times.first_epoch_s + 19 * told.times.epoch_s
    )


def test_no_process_stays_behind(told: Estimate) -> None:
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert not [command for command in commands if "workbench.estimation" in command]


def test_every_figure_says_where_it_comes_from(told: Estimate) -> None:
    text = repr(told)
    assert "on cpu: fits" in text
    assert text.count("· exact") == 2
    assert text.count("· measured in real steps") == 2
    assert re.search(r"  \[·+ *[A-Z ]*\] · in use by others", text)
    assert "at the peak beside Python and its libraries" in text


def test_early_stopping_is_said_where_it_can_come(told: Estimate) -> None:
    assert "early stopping ends it after" in repr(told)
    assert told.times is not None
    short = dataclasses.replace(
        told, times=dataclasses.replace(told.times, earliest_s=told.times.total_s))
    assert "early stopping" not in repr(short)


def test_the_html_is_escaped_and_without_scripts(told: Estimate) -> None:
    page = told._repr_html_()
    assert "<script" not in page
    assert "kernels and allocator" in page
    assert page.count("<div") == page.count("</div>")


@pytest.mark.slow
def test_a_frozen_backbone_says_what_keeping_its_features_brings(split: Split) -> None:
    told = estimate(Recipe(peft="linear_probe", decoder="linear"), split)
    assert told.times is not None
    assert told.times.cache is not None
    chips = 8 * len(split.train) + len(split.val)
    # 4 x 4 patches of 8 pixels, 192 numbers each.
    assert told.times.cache.disk_bytes == chips * 16 * 192 * 4
    assert told.times.cache.epoch_s < told.times.first_epoch_s
    assert "kept on disk as they are first met" in repr(told)


def test_a_batch_larger_than_the_split_costs_what_the_split_has(split: Split) -> None:
    with contextlib.closing(Estimator(split, device="cpu")) as estimator:
        large = estimator.quick(RECIPE.but(batch_size=10_000))
        whole = estimator.quick(RECIPE.but(batch_size=len(split.train)))
    assert large.recipe.batch_size == 10_000
    assert large.fits
    assert large.memory == whole.memory
    assert large.times is not None
    assert large.times.steps == 1


def test_an_index_needs_nothing(split: Split) -> None:
    told = estimate(SpectralIndex(index="ndwi", threshold="tuned"), split)
    assert told.fits
    assert "a threshold is chosen" in repr(told)
    assert "a threshold is chosen" in told._repr_html_()


def test_what_fit_refuses_is_refused(split: Split) -> None:
    with pytest.raises(BandError):
        estimate(RECIPE.but(bands=("RED_EDGE_1",)), split)
    with pytest.raises(RecipeError, match="does not fit"):
        estimate(Recipe(backbone="unet_encoder", peft="vpt"), split)
    with pytest.raises(RecipeError, match="not available here"):
        estimate(RECIPE, split, device="cuda:7")


@pytest.mark.slow
def test_where_it_does_not_fit_single_changes_that_do_are_named(
    split: Split, little_room: None
) -> None:
    told = estimate(RECIPE, split)
    assert not told.fits
    first, *others = told.remedies
    size, accumulate = first.recipe.chips_at_once, first.recipe.accumulate
    assert size * accumulate == RECIPE.batch_size
    assert first.what == f"batch_size={size}, accumulate={accumulate}"
    assert [remedy.fits for remedy in told.remedies].count(True) >= 2
    assert {remedy.keeps for remedy in others} >= {"the same numbers", "another method"}
    for remedy in told.remedies:
        assert remedy.memory.total < told.memory.total  # type: ignore[union-attr]
        assert remedy.fits == (remedy.memory.total <= 0.9 * 22_000_000)
    assert "Single changes that need less" in repr(told)
    assert "gradient_checkpointing=True" in told._repr_html_()


@pytest.mark.slow
def test_fit_changes_the_recipe_as_little_as_it_can(split: Split, little_room: None) -> None:
    told = estimate(RECIPE, split, fit=True)
    assert told.fits
    assert isinstance(told.recipe, Recipe)
    assert told.recipe.chips_at_once * told.recipe.accumulate == RECIPE.batch_size
    assert told.recipe.but(batch_size=8, accumulate=1) == RECIPE
    assert not told.remedies
    assert "changed to fit" in repr(told)


@pytest.mark.slow
def test_auto_takes_the_largest_batch_that_leaves_steps_enough(split: Split) -> None:
    told = estimate(RECIPE.but(batch_size="auto"), split)
    assert isinstance(told.recipe, Recipe)
    most = len(split.train) // 4
    assert told.recipe.chips_at_once == 2 ** (most.bit_length() - 1)
    assert "batch_size='auto' comes to" in repr(told)
