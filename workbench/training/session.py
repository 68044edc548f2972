"""train: from a recipe and a split to a run folder, as a stream of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import torch

from workbench.assembly import (
    Model,
    build_model,
    require_frames,
    require_metadata,
    select_device,
)
from workbench.data import Split
from workbench.data.statistics import NamedStatistics, band_statistics, require_published
from workbench.errors import WeightsError
from workbench.events import EpochDone, Event, RunStarted
from workbench.models.segmenter import Normalize, Segmenter
from workbench.recipe import AnyRecipe, Recipe
from workbench.runs import Run, checkpoints, complete, create, create_locked, refuse_existing
from workbench.runs.lock import Lock
from workbench.training.control import Control
from workbench.training.features import frozen_features
from workbench.training.loop import Loop
from workbench.training.objective import class_weights
from workbench.training.precision import resolve_precision
from workbench.training.preflight import (
    audited,
    check_split,
    require_buildable,
    require_held_out,
    require_reopening,
)
from workbench.training.preview import Previews
from workbench.training.recording import Advise, recorded
from workbench.training.tuning import Tuning

# Says what `batch_size="auto"` comes to; it lies above training, so it is handed down.
AutoBatch = Callable[[Recipe, Split, torch.device], int]


def train(recipe: AnyRecipe, split: Split, folder: str | Path, *,
          device: str | torch.device = "auto", resume: bool = False, lock: Lock | None = None,
          watch_held_out: bool = False, control: Control | None = None,
          advise: Advise | None = None, auto_batch: AutoBatch | None = None,
          ) -> Generator[Event, None, None]:
    """Train into a run folder; every event stands in its `events.jsonl` before it is yielded.

    What can be refused is refused by the call itself, before anything is written. The training
    goes on as the events are asked for; who stops asking leaves a run that can be resumed.

    Args:
        recipe: What to train.
        split: What to train on: `train` and `val` are read, `test` never, `held_out` only to be
            watched.
        folder: The run folder; made here, or there already when resuming.
        device: Where to compute.
        resume: Go on from the last checkpoint instead of making the folder.
        lock: Of a folder that is there, where the caller holds it.
        watch_held_out: Score held-out regions after every epoch, to be seen and never chosen by;
            a new run keeps it.
        control: How to ask for a stop, beside the files in the folder's `control/`.
        advise: Says what would fit when the memory is full.
        auto_batch: Says what `batch_size="auto"` comes to.

    Yields:
        Events, the last one terminal.

    Raises:
        RunExistsError: The folder is already there.
        SplitError: A part is empty or without labels.
        BandError: The backbone does not know a band.
        DataError: The recipe has metadata that a chip lacks.
        RecipeError: The backbone or the method takes one date, and chips are of several.
        TrainingError: Training broke off (raised after the `run_failed` event).
    """
    target = _checked(recipe, split, device, watch_held_out)
    run = Run(Path(folder), split)
    if resume:
        model = _described_model(run, target, auto_batch)
    else:
        refuse_existing(run.folder)
        choices = _choices(recipe, split, target, auto_batch)
        model = _model(recipe, split, choices)
        create(run.folder, recipe, split, {
            **choices, "device": str(target), "weights_hash": model.description.weights_hash,
            **_watching(watch_held_out),
        })  # fmt: skip
    control = control or Control()
    control.follow(run.folder)
    events = _session(run, recipe, split, model.to(target), target, resume, control)
    return recorded(run, events, lock=lock, advise=advise)


def prepare(recipe: AnyRecipe, split: Split, folder: Path, *, device: str,
            watch_held_out: bool = False) -> Lock:
    """Make a run folder for `work`, refusing what can be refused in an instant; return its lock.

    Raises:
        RunExistsError: The folder is already there.
        SplitError: A part is empty or without labels, or no other process could open the data.
        DataError: The recipe has metadata that a chip lacks.
        RecipeError: There is no such device.
    """
    target = _checked(recipe, split, device, watch_held_out)
    require_reopening(split.dataset)
    data = split.train if recipe.bands is None else split.train.with_bands(recipe.bands)
    return create_locked(folder, recipe, split, {
        "bands": list(data.bands), "device": str(target), **_watching(watch_held_out),
    })  # fmt: skip


def _watching(watch_held_out: bool) -> dict[str, Any]:
    return {"watch_held_out": True} if watch_held_out else {}


def work(run: Run, *, device: str, lock: Lock, control: Control,
         advise: Advise | None = None,
         auto_batch: AutoBatch | None = None) -> Iterator[Event]:
    """Train a run folder that is there, as `train` does; all that goes wrong is told by the run.

    Args:
        run: From its start, or from its last checkpoint.
        device: Where to compute.
        lock: Of the folder, held by this process and released by it.
        control: As for `train`.
        advise: As for `train`.
        auto_batch: As for `train`.
    """
    control.follow(run.folder)

    def events() -> Iterator[Event]:
        target = _checked(run.recipe, run.split, device)
        model = _described_model(run, target, auto_batch).to(target)
        yield from _session(run, run.recipe, run.split, model, target, True, control)

    return recorded(run, events(), lock=lock, advise=advise)


def _checked(recipe: AnyRecipe, split: Split, device: str | torch.device,
             watch_held_out: bool = False) -> torch.device:
    check_split(split)
    if watch_held_out:
        require_held_out(split)
    require_metadata(recipe, split.dataset)
    require_frames(recipe, split.dataset.num_frames)
    if isinstance(recipe, Recipe):
        require_buildable(recipe, split.dataset)
        class_weights(recipe, split.train)
        if recipe.normalization == "published":
            require_published(split.train.with_bands(recipe.bands or split.train.bands))
    return select_device(device)


def _described_model(run: Run, device: torch.device, auto_batch: AutoBatch | None) -> Model:
    """Build the model of a run folder; where it was never built, note what it came to."""
    said = run.resolved
    if "weights_hash" in said:
        model = _model(run.recipe, run.split, said)
        _same_backbone(run, model)
        return model
    choices = _choices(run.recipe, run.split, device, auto_batch)
    model = _model(run.recipe, run.split, choices)
    complete(run.folder, {**choices, "weights_hash": model.description.weights_hash})
    return model


def _session(run: Run, recipe: AnyRecipe, split: Split, model: Model, device: torch.device,
             resume: bool, control: Control) -> Iterator[Event]:
    training: Loop | Tuning
    frozen = None
    if isinstance(recipe, Recipe):
        assert isinstance(model, Segmenter)
        recipe = recipe.but(batch_size=run.resolved.get("batch_size", recipe.batch_size))
        frozen = frozen_features(model, recipe, device, run.resolved.get("precision", "fp32"))
        training = Loop(recipe, split, model, run.folder, device, run.resolved, frozen)
    else:
        assert not isinstance(model, Segmenter)
        training = Tuning(recipe, split, model, run.folder, device)
    last = checkpoints.find(run.folder / checkpoints.CHECKPOINTS / "last") if resume else None
    if last is not None:
        training.restore(last)
    previews = Previews(split, model, run.folder, device, frozen)
    for event in training.events(control):
        yield event
        if isinstance(event, RunStarted):
            yield from audited(split, _statistics(recipe, model))
        elif isinstance(event, EpochDone):
            previews.write(event.epoch)


def _statistics(recipe: AnyRecipe, model: Model) -> NamedStatistics | None:
    """Return what scales the bands of a model, None where nothing does."""
    if not (isinstance(recipe, Recipe) and isinstance(model, Segmenter)
            and isinstance(model.normalize, Normalize)):
        return None
    whose = {"backbone": "the statistics of the backbone's pre-training",
             "published": "the collection's published statistics"}
    return NamedStatistics(
        whose.get(recipe.normalization, "the training part's statistics"), model.bands,
        tuple(model.normalize.mean.tolist()), tuple(model.normalize.std.tolist()),
    )


def _choices(recipe: AnyRecipe, split: Split, device: torch.device,
             auto_batch: AutoBatch | None) -> dict[str, Any]:
    """Return what the recipe leaves open and the data and the device decide."""
    data = split.train if recipe.bands is None else split.train.with_bands(recipe.bands)
    choices: dict[str, Any] = {"bands": list(data.bands)}
    if isinstance(recipe, Recipe) and recipe.normalization == "dataset":
        mean, std = band_statistics(data)
        choices |= {"mean": mean.tolist(), "std": std.tolist()}
    elif isinstance(recipe, Recipe) and recipe.normalization == "published":
        stated = require_published(data)
        choices |= {"mean": list(stated.mean), "std": list(stated.std)}
    if isinstance(recipe, Recipe):
        choices["precision"] = resolve_precision(recipe.precision, device)
        choices["class_weights"] = class_weights(recipe, split.train)
        if recipe.batch_size == "auto" and auto_batch is not None:
            choices["batch_size"] = auto_batch(recipe, split, device)
    return choices


def _model(recipe: AnyRecipe, split: Split, choices: dict[str, Any]) -> Model:
    info = split.dataset.info
    return build_model(
        recipe, classes=info.classes, bands=choices["bands"], image_size=info.chip_shape,
        num_frames=info.num_frames, mean=choices.get("mean"), std=choices.get("std"),
        scale=info.scale, offset=info.offset,
    )


def _same_backbone(run: Run, model: Model) -> None:
    trained_on = run.resolved["weights_hash"]
    if model.description.weights_hash != trained_on:
        raise WeightsError(
            f"The backbone's weights found here are not those {run.folder} was trained on "
            f"(SHA-256 {model.description.weights_hash} instead of {trained_on}). Bring those "
            "back, or train anew with wb.fit."
        )
