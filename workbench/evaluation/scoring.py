"""evaluate: a run's best checkpoint on the chips it was never trained on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.assembly import (
    Model,
    encoder,
    load_model,
    require_metadata,
    require_same_frames,
)
from workbench.data import Dataset, Split
from workbench.data.bands import positions
from workbench.data.index import overlapping
from workbench.errors import RunError, SplitError
from workbench.evaluation.chipcolumns import kept_columns
from workbench.evaluation.scores import Scores
from workbench.evaluation.tables import PARTS
from workbench.events import RunStarted
from workbench.metrics import Counts, Histogram, confusion, reliability
from workbench.models.arithmetic import quick_float32
from workbench.recipe import AnyRecipe, Recipe
from workbench.runs import Run, failures
from workbench.runs.access import refusal_explained
from workbench.storage import require_writable, write_json
from workbench.training.loader import Loader
from workbench.training.preflight import require_split

FOLDER = "evaluation"
# A spectral index has no batch size of its own.
_BATCH_SIZE = 8


def evaluate(run: Run, split: Split | None = None, *, device: str = "auto",
             progress: Callable[[int, int], object] | None = None) -> Scores:
    """Score a run's best checkpoint on the test and held-out chips of a split.

    The counts and reliability histograms of every chip are kept in the run's folder, so that
    tables and comparisons never predict again. Every run is scored on the same pixels: those valid
    in all bands of the dataset, whichever bands the run takes.

    Args:
        run: A trained run.
        split: Which chips; by default those of the run's own split. A foreign split may be of
            another dataset with the same classes, but not hold ground the run was trained on.
        device: `auto`, `cpu`, `cuda`, `mps`.
        progress: Called with the chips done and the number of chips.

    Returns:
        The scores; they are in `run.folder / "evaluation"` too.

    Raises:
        RunError: The run has no checkpoint, or its folder is read-only.
        SplitError: Nothing to score, other classes, or chips that the run was trained on.
        BandError: The dataset lacks a band that the run needs.
        DataError: A chip lacks the date or position that the run's model is told.
        OutOfSpaceError: The disk is full.
    """
    failures.require_trained(run)
    chosen = run.split if split is None else split
    require_split(chosen)
    parts = {part: dataset for part in PARTS if len(dataset := chosen.part(part))}
    _check(run, chosen, parts, own=split is None)
    for dataset in parts.values():
        require_metadata(run.recipe, dataset)
    with refusal_explained(run.folder):
        require_writable(run.folder / FOLDER)
    model = load_model(run, device=device)
    require_same_frames(model, chosen.dataset)
    total, chips = sum(map(len, parts.values())), []
    for dataset in parts.values():
        for chip in _chips(model, dataset, _batch_size(run)):
            chips.append(chip)
            if progress is not None:
                progress(len(chips), total)
    counts, histograms = (np.stack(kept) for kept in zip(*chips, strict=True))
    scores = _scores(run, chosen, parts, counts, histograms)
    with refusal_explained(run.folder):
        scores.write(_path(run, split))
        if split is None:
            write_json(run.folder / FOLDER / "summary.json", scores.summary())
    return scores


def is_scored(run: Run, split: Split | None = None) -> bool:
    """Return whether `evaluate` has stored scores of a run."""
    return _path(run, split).exists()


def read_scores(run: Run, split: Split | None = None) -> Scores:
    """Return the scores that `evaluate` stored.

    Raises:
        RunError: The run has not been evaluated, or the file is damaged.
    """
    path = _path(run, split)
    if not path.exists():
        raise RunError(
            f"Run {run.name!r} ({run.state}) has no scores yet: {path} is not there. "
            "wb.evaluate(run) makes them from its best checkpoint."
        )
    return Scores.read(path)


def _path(run: Run, split: Split | None) -> Path:
    """Return the file of a split's scores: one for each split, so that none replaces another."""
    if split is None:
        return run.folder / FOLDER / "scores.json"
    chips = {part: sorted(split.parts[part]) for part in PARTS}
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", split.dataset.info.name)
    key = _digest([split.dataset.hash, chips])[:12]
    return run.folder / FOLDER / f"scores-{name}-{key}.json"


def _batch_size(run: Run) -> int:
    asked = getattr(run.recipe, "batch_size", _BATCH_SIZE)
    return int(run.resolved["batch_size"]) if asked == "auto" else asked


@torch.inference_mode()
def _chips(model: Model, dataset: Dataset,
           batch_size: int) -> Iterator[tuple[Counts, Histogram]]:
    """Yield the counts ``(K, K)`` and the histogram ``(bin, 3)`` of every chip, in their order."""
    description = model.description
    channels = list(positions(description.bands, dataset.bands, dataset.info.name))
    tensors = [*model.parameters(), *model.buffers()]
    loader = Loader(dataset, batch_size, cache=False, encode=encoder(model))
    for batch in loader.in_order():
        batch = batch._replace(image=batch.image[:, channels])
        with quick_float32():
            logits = model(*batch.inputs(lambda tensor: tensor.to(tensors[0].device)))
        sure, found = (tensor.cpu().numpy() for tensor in logits.float().softmax(1).max(dim=1))
        for mask, predicted, confidence in zip(batch.mask.numpy(), found, sure, strict=True):
            yield (confusion(mask, predicted, len(description.classes)),
                   # Sums over many pixels: four decimals are plenty, and short in the file.
                   reliability(mask, predicted, confidence).round(4))


def _check(run: Run, split: Split, parts: dict[str, Dataset], *, own: bool) -> None:
    if not parts:
        raise SplitError(f"The split has no test and no held-out chips to score ({split!r}).")
    classes = [entry.name for entry in split.dataset.classes]
    trained = [entry.name for entry in run.classes]
    if classes != trained:
        raise SplitError(
            f"{split.dataset.info.name} has the classes {', '.join(classes)}, but {run.name!r} "
            f"was trained on {', '.join(trained)}. Name them alike (classes=…) where they mean "
            "the same."
        )
    if own or run.imported:  # Nobody knows what an imported model has seen.
        return
    seen = _seen(run.split, parts)
    if seen:
        raise SplitError(
            f"{len(seen)} of the chips to score show ground that {run.name!r} was trained on, for "
            f"example {seen[0]}. A score there would say nothing; leave them out of test and "
            "held_out, or score the run on its own split: wb.evaluate(run)."
        )


def _seen(own: Split, parts: dict[str, Dataset]) -> list[str]:
    """Return the chips to score that overlap what the run was trained and chosen on."""
    trained = pd.concat([own.train.chips, own.val.chips])
    scored = pd.concat([dataset.chips for dataset in parts.values()])
    window = ["image", "row_off", "col_off"]
    same = scored.index[pd.MultiIndex.from_frame(scored[window]).isin(
        pd.MultiIndex.from_frame(trained[window]))]
    both = pd.concat([trained.geometry, scored.geometry])
    first, second = overlapping(both)
    low, high = np.minimum(first, second), np.maximum(first, second)
    across = (low < len(trained)) & (high >= len(trained))
    return sorted({*same, *both.index[high[across]]})


def _scores(run: Run, split: Split, parts: dict[str, Dataset], counts: Counts,
            histograms: Histogram) -> Scores:
    chips = kept_columns(pd.concat([dataset.chips.assign(part=part)
                                    for part, dataset in parts.items()]))
    info = split.dataset.info
    started = [event for event in run.events() if isinstance(event, RunStarted)]
    return Scores(
        run=run.name, method=run.recipe.name, baseline=_is_baseline(run.recipe),
        seed=run.recipe.seed, recipe_key=_recipe_key(run),
        trainable_parameters=started[-1].trainable_parameters if started else None,
        dataset=info.name, simulated=info.simulated,
        classes=tuple(entry.name for entry in run.classes), chips=chips, counts=counts,
        watched=run.watched_held_out, reliability=histograms,
    )  # fmt: skip


def _is_baseline(recipe: AnyRecipe) -> bool:
    return not isinstance(recipe, Recipe) or not recipe.pretrained


def _recipe_key(run: Run) -> str:
    given = {name: value for name, value in run.recipe.to_json()["given"].items() if name != "seed"}
    if run.imported:
        return _digest([run.recipe.kind, given, str(run.folder)])
    split = run.split
    return _digest([run.recipe.kind, given, split.dataset.hash, split.parts["train"],
                    split.parts["val"]])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
