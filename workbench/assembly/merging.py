"""Fold a trained adapter into the backbone's weights: a plain model, nothing beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from workbench.assembly.building import Model
from workbench.assembly.files import HasFolder, load_model, save_model
from workbench.errors import RecipeError, RunExistsError
from workbench.models.loading import Weights
from workbench.models.segmenter import Segmenter
from workbench.peft import FullFineTuning
from workbench.storage import atomic_folder


def merge(
    run: HasFolder | str | Path,
    *,
    folder: str | Path | None = None,
    checkpoint: str = "best",
    device: str | torch.device = "auto",
    weights: Weights = None,
) -> Segmenter:
    """Open a trained model with its adapter folded into plain weights.

    It has the backbone's own layers only, so that it runs as fast as the backbone alone and is
    exported like it. Logits are those of the trained model within rounding (1e-5). From here on
    it is a model with weights of its own: its recipe says `FullFineTuning`, and on disk it has
    all of the backbone.

    Args:
        run: A run, its folder, or a folder that `save_model` wrote.
        folder: Where to write the model, if anywhere; `wb.load_model` opens it again.
        checkpoint: `"best"` on the validation part, or `"last"`.
        device: `"auto"`, `"cpu"`, `"cuda"`, …
        weights: Where the backbone's weights are, if not where they were in training.

    Raises:
        RecipeError: The run's method is not of the LoRA family (lora, ia3).
        RunExistsError: `folder` is there already.
    """
    if folder is not None and Path(folder).exists():
        raise RunExistsError(f"{folder} is there already; give a folder that is not.")
    model = load_model(run, checkpoint=checkpoint, device=device, weights=weights)
    _fold(model)
    assert isinstance(model, Segmenter)
    if folder is not None:
        with atomic_folder(Path(folder)) as place:
            save_model(model, place)
    return model


def _fold(model: Model) -> None:
    if not isinstance(model, Segmenter):
        raise RecipeError("A spectral index has no weights, and nothing to merge into them.")
    model.adapter.merge()
    was = model.description.recipe
    recipe = was.but(peft=FullFineTuning(), learning_rate=was.lr)
    model.adapter = FullFineTuning().apply(model.backbone)
    # What was trained holds all of the backbone: no other weights are needed to rebuild it.
    model.description = replace(
        model.description, recipe=recipe, weights="random", weights_hash=None
    )
    model.eval()
