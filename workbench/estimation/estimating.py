"""estimate: what a training will cost on this machine, before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch

from workbench.assembly import Diagram, describe, require_metadata, select_device
from workbench.data import Split
from workbench.estimation import showing
from workbench.estimation.costs import Memory
from workbench.estimation.epochs import Times, times
from workbench.estimation.forecast import Forecast
from workbench.estimation.hints import hints
from workbench.estimation.machine import Room, device_room
from workbench.estimation.problem import Problem
from workbench.estimation.remedies import Remedy, fitted, largest_batch, remedies
from workbench.recipe import AnyRecipe, Recipe
from workbench.training.features.space import budget_bytes, features_dir
from workbench.training.preflight import check_split

# Larger batches hardly use a device better, and change what is learned the more.
LARGEST_BATCH = 64
# Batches of an epoch that `batch_size="auto"` leaves: fewer are too few steps to learn from.
_FEWEST_BATCHES = 4


@dataclass(frozen=True)
class Estimate:
    """What training a recipe on a split costs; shows itself.

    Attributes:
        recipe: What was estimated: as given, or with `fit=True` changed to what fits.
        device: Where.
        trainable: Parameters that learn; exact, like the three below.
        total: All parameters.
        adapter_bytes: Size of the adapter's file; 0 where the method saves none.
        checkpoint_bytes: Size of all weights that a run saves.
        memory: At the peak, by parts; None where nothing is trained.
        times: Of a step, an epoch and all; None where nothing is trained.
        room: Of the device.
        fits: Whether the memory is free.
        changed: What `fit=True` or `batch_size="auto"` made of the recipe, in words.
        remedies: Where it does not fit, single changes that need less.
        hints: What is worth knowing of this recipe, with numbers.
    """

    recipe: AnyRecipe
    device: str
    trainable: int
    total: int
    adapter_bytes: int
    checkpoint_bytes: int
    memory: Memory | None
    times: Times | None
    room: Room
    fits: bool
    changed: str = ""
    remedies: tuple[Remedy, ...] = ()
    hints: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return showing.text(self)

    def _repr_html_(self) -> str:
        return showing.html(self)


def estimate(recipe: AnyRecipe, split: Split, *, device: str = "auto",
             fit: bool = False) -> Estimate:
    """Say what training a recipe on a split costs on this machine, without training.

    Counts and sizes on disk are exact. Memory and time come from two real steps on noise in a
    process of its own; where those take longer than 20 seconds, from smaller ones, else from the
    operations alone, and it is said which. Nothing is downloaded, and no memory is kept.

    Args:
        recipe: What would be trained.
        split: What it would be trained on.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        fit: Where it does not fit, change the recipe until it does: smaller batches and more of
            them in a step first, then gradient checkpointing, then bf16.

    Returns:
        The estimate; its `recipe` is the one to train.

    Raises:
        SplitError: A part of the split is empty or without labels.
        BandError: The backbone does not know a band.
        RecipeError: The method does not fit the backbone, or there is no such device.
        DataError: The recipe has metadata that a chip lacks.
    """
    with Estimator(split, device=device) as estimator:
        return estimator.estimate(recipe, fit=fit)


class Estimator:
    """Estimates of one recipe after the other on one split, sooner than each by itself.

    The process in which steps are tried stays until `close`.

    Args:
        split: What would be trained on.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        SplitError: A part of the split is empty or without labels.
        RecipeError: There is no such device.
    """

    def __init__(self, split: Split, *, device: str = "auto") -> None:
        check_split(split)
        self._split, self._device = split, select_device(device)
        self._opened: Forecast | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def estimate(self, recipe: AnyRecipe, *, fit: bool = False) -> Estimate:
        """Return what `wb.estimate` returns."""
        return self._answer(recipe, fit=fit, probe=True)

    def quick(self, recipe: AnyRecipe) -> Estimate:
        """Return what its operations tell, with nothing measured; memory and time are rough."""
        return self._answer(recipe, fit=False, probe=False)

    def close(self) -> None:
        """End the process; the next estimate starts another."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _answer(self, recipe: AnyRecipe, *, fit: bool, probe: bool) -> Estimate:
        require_metadata(recipe, self._split.dataset)
        diagram = _described(recipe, self._split)
        if not isinstance(recipe, Recipe):
            room = device_room(self._device)
            return Estimate(recipe, str(self._device), 0, 0, 0, 0, None, None, room, True)
        if self._opened is None:
            self._opened = Forecast(self._split, self._device)
        return _estimate(self._opened, recipe, diagram, fit, probe)


def auto_batch(recipe: Recipe, split: Split, device: torch.device) -> int:
    """Return what `batch_size="auto"` comes to: the largest power of two that fits.

    At most 64, and no more than leaves four batches an epoch.
    """
    with Forecast(split, device) as forecast:
        return _auto_batch(forecast, recipe)


def _auto_batch(forecast: Forecast, recipe: Recipe) -> int:
    most = min(LARGEST_BATCH, len(forecast.split.train) // _FEWEST_BATCHES)
    forecast.probe(recipe.but(batch_size=max(1, min(2, most))))
    return largest_batch(forecast, recipe, most)


def _estimate(
    forecast: Forecast, recipe: Recipe, diagram: Diagram, fit: bool, probe: bool
) -> Estimate:
    changed = ""
    if recipe.batch_size == "auto":
        size = _auto_batch(forecast, recipe)
        recipe, changed = recipe.but(batch_size=size), f"batch_size='auto' comes to {size}"
    asked = recipe
    # No batch has more chips than there are.
    most = max(len(forecast.split.train), len(forecast.split.val))
    recipe = recipe.but(batch_size=min(recipe.chips_at_once, most))
    if probe and forecast.fits(forecast.memory(recipe)):
        forecast.probe(recipe)
    memory = forecast.memory(recipe)
    if fit and not forecast.fits(memory) and (found := fitted(forecast, recipe)):
        changed = f"changed to fit: {showing.difference(recipe, found)}"
        asked, recipe, memory = found, found, forecast.memory(found)
    fits = forecast.fits(memory)
    return Estimate(
        asked, str(forecast.device), diagram.trainable, diagram.total, diagram.adapter_bytes,
        diagram.checkpoint_bytes, memory, _times(forecast, recipe), forecast.room, fits,
        changed, () if fits else tuple(remedies(forecast, recipe)),
        tuple(hints(forecast, recipe)),
    )  # fmt: skip


def _times(forecast: Forecast, recipe: Recipe) -> Times:
    cached = Problem.of(recipe, forecast.split).cached
    half = 2 if recipe.feature_cache == "fp16" else 1
    return times(
        recipe, forecast.split, forecast.pace(recipe),
        overlapped=forecast.device.type == "cuda",
        feature_bytes=forecast.analysis(recipe).feature_bytes // half if cached else None,
        budget_bytes=budget_bytes(features_dir()),
    )  # fmt: skip


def _described(recipe: AnyRecipe, split: Split) -> Diagram:
    info = split.dataset.info
    return describe(recipe, classes=len(info.classes), bands=info.bands,
                    image_size=info.chip_shape, num_frames=info.num_frames)
