"""A model on disk: adapter files, `segmenter.safetensors` and `segmenter.json`.

The frozen backbone is never among them; its hash is, and another backbone is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.assembly.building import Model, ModelDescription, build_model
from workbench.assembly.devices import select_device
from workbench.errors import RunError, WeightsError
from workbench.models.loading import Weights
from workbench.runs import checkpoints
from workbench.storage import read_json, write_json

TENSORS = "segmenter.safetensors"
DESCRIPTION = "segmenter.json"
FORMAT = 1


class HasFolder(Protocol):
    """A run."""

    @property
    def folder(self) -> Path: ...  # noqa: D102


def save_model(model: Model, folder: Path) -> None:
    """Write what was learned into an existing folder (the caller makes it atomic)."""
    save_file(_own_tensors(model), folder / TENSORS)
    if model.adapter is not None:
        model.adapter.save(folder)
    write_json(folder / DESCRIPTION, {"format": FORMAT, **model.description.to_json()})


def restore_model(model: Model, folder: Path) -> None:
    """Give a built model what `save_model` wrote, in place.

    Raises:
        WeightsError: The files are missing, damaged, or of another model.
    """
    path = Path(folder) / TENSORS
    try:
        saved = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is missing or damaged: {error}") from error
    own = _own_tensors(model)
    differing = sorted(
        name for name in {*own, *saved}
        if name not in own or name not in saved or own[name].shape != saved[name].shape
    )  # fmt: skip
    if differing:
        raise WeightsError(
            f"{path} belongs to another model: {len(differing)} tensors differ, such as "
            f"{differing[0]}."
        )
    model.load_state_dict(saved, strict=False)
    if model.adapter is not None:
        model.adapter.load(Path(folder))


def load_model(
    run: HasFolder | str | Path,
    *,
    checkpoint: str = "best",
    device: str | torch.device = "auto",
    weights: Weights = None,
) -> Model:
    """Rebuild a trained model, in evaluation mode.

    Args:
        run: A run, its folder, or a folder that `save_model` wrote.
        checkpoint: `"best"` on the validation part, or `"last"`.
        device: `"auto"`, `"cpu"`, `"cuda"`, …
        weights: Where the backbone's weights are, if not where they were in training.

    Raises:
        RunError: There is no such checkpoint.
        WeightsError: A file is damaged, or the backbone is not the one trained on.
    """
    if not isinstance(run, str | Path) and not hasattr(run, "folder"):
        raise RunError(f"{run!r} is no run. Open its folder first: wb.open_run('runs/<name>').")
    folder = Path(run) if isinstance(run, str | Path) else run.folder
    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}. wb.list_runs() lists the runs.")
    chosen = select_device(device)
    if (folder / DESCRIPTION).is_file():
        model = _load(folder, weights)
    else:
        # A live run replaces its checkpoints; what is read is all of one of them.
        where = folder / checkpoints.CHECKPOINTS / checkpoint
        model = checkpoints.read(where, lambda place: _load(place, weights))
    return model.to(chosen).eval()


def _load(folder: Path, weights: Weights) -> Model:
    said = read_json(folder / DESCRIPTION)
    if said.pop("format", None) != FORMAT:
        raise RunError(f"{folder / DESCRIPTION} is of another version of the workbench.")
    description = ModelDescription.from_json(said)
    model = _rebuild(description, weights, folder)
    if model.description.weights_hash != description.weights_hash:
        raise WeightsError(
            f"The backbone {getattr(description.recipe, 'backbone', '')!r} found here is not the "
            f"one {folder} was trained on (SHA-256 {model.description.weights_hash} instead of "
            f"{description.weights_hash}). Pass weights= the file it was trained on."
        )
    restore_model(model, folder)
    return model


def _rebuild(description: ModelDescription, weights: Weights, folder: Path) -> Model:
    recipe = description.recipe
    method = getattr(recipe, "peft", None)
    if method is not None and method.saves_backbone:
        weights = "random"  # All of it is overwritten by what was saved.
    return build_model(
        recipe,
        classes=description.classes,
        bands=description.bands,
        image_size=description.image_size,
        num_frames=description.num_frames,
        mean=description.mean,
        std=description.std,
        scale=description.scale,
        offset=description.offset,
        weights=_weights(description, folder) if weights is None else weights,
        weights_bands=description.weights_bands,
        architecture=description.architecture,
        decoder_options=description.decoder_options,
    )


def _weights(description: ModelDescription, folder: Path) -> Weights:
    """Return where the backbone's weights are; a path may be relative to the description's file."""
    said = description.weights
    if said in (None, "hub", "random"):
        return said
    if (folder / said).is_file():  # An absolute path stays what it is.
        return folder / said
    raise WeightsError(
        f"{folder} was trained on the weights in {said}, which is not there. Pass weights= where "
        "the file is now; its SHA-256 is checked."
    )


def _own_tensors(model: Model) -> dict[str, Tensor]:
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("backbone.")
    }
