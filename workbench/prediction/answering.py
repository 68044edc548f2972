"""Windows in, probabilities of all runs out; runs on the same features compute them once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.assembly import Model
from workbench.errors import RunError
from workbench.models.arithmetic import quick_float32
from workbench.models.segmenter import Segmenter
from workbench.peft import LinearProbe
from workbench.prediction.blending import Corner, Forward, Pixels
from workbench.prediction.kept import one_pass
from workbench.prediction.metadata import Metadata

Coords = tuple[Tensor | None, ...]


def answers(models: Sequence[Model], metadata: Sequence[Metadata | None],
            bands: Sequence[str]) -> Forward:
    """Return what gives the probabilities of all models, one model's classes after the other's.

    Args:
        models: On one device, in evaluation mode.
        metadata: When and where windows are, for each model that is told.
        bands: Those of the windows; each model is given its own.
    """
    device, groups = device_of(models), _same_features(models)
    channels = [[list(bands).index(band) for band in model.description.bands] for model in models]
    every = list(range(len(bands)))

    @torch.inference_mode()
    @quick_float32()
    def forward(windows: Pixels, corners: Sequence[Corner]) -> Pixels:
        image = torch.from_numpy(windows).to(device)
        logits: dict[int, Tensor] = {}
        for group in groups:
            told = metadata[group[0]]
            coords: Coords = () if told is None else tuple(
                None if entry is None else entry.to(device) for entry in told(corners))
            own = channels[group[0]]
            given = image if own == every else image[:, own]
            with one_pass:
                found = _logits([models[place] for place in group], given, coords)
            logits.update(zip(group, found, strict=True))
        ordered = [logits[place].float().softmax(dim=1) for place in range(len(models))]
        return torch.cat(ordered, dim=1).cpu().numpy()

    return _AsManyAsFit(forward)


def device_of(models: Sequence[Model]) -> torch.device:
    """Return where models are."""
    tensors = itertools.chain.from_iterable(
        itertools.chain(model.parameters(), model.buffers()) for model in models)
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


class _AsManyAsFit:
    """Asks about fewer windows at once from then on when the memory of the device is full."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.most: int | None = None

    def __call__(self, windows: Pixels, corners: Sequence[Corner]) -> Pixels:
        found: list[Pixels] = []
        start = 0
        while start < len(windows):
            stop = min(start + (self.most or len(windows)), len(windows))
            answer = self._tried(windows[start:stop], corners[start:stop])
            if answer is not None:
                found.append(answer)
                start = stop
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _tried(self, windows: Pixels, corners: Sequence[Corner]) -> Pixels | None:
        """Return the answers; None where they do not fit, and fewer may be tried next."""
        try:
            return self.forward(windows, corners)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and "out of memory" not in str(error):
                raise
            if len(windows) == 1:
                raise RunError(
                    f"One window of {windows.shape[-2]} × {windows.shape[-1]} pixels is more than "
                    "the memory of the device holds. Predict smaller ones, predict(…, window=128), "
                    "or on the processor: device='cpu'."
                ) from error
            self.most = len(windows) // 2
        # Only here are the tensors of the failed attempt gone.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None


def _logits(models: Sequence[Model], image: Tensor, coords: Coords) -> list[Tensor]:
    first = models[0]
    if len(models) == 1 or not isinstance(first, Segmenter):
        return [first(image, *coords)]
    probes = [model for model in models if isinstance(model, Segmenter)]
    blocks = sorted({block for probe in probes for block in probe.decoder.blocks})
    maps = dict(zip(blocks, first.features(image, *coords, blocks=blocks), strict=True))
    return [probe.decode([maps[block] for block in probe.decoder.blocks], image.shape[-2:])
            for probe in probes]


def _same_features(models: Sequence[Model]) -> list[list[int]]:
    """Return the places of the models in groups whose backbones give the same features."""
    groups: dict[str, list[int]] = {}
    for place, model in enumerate(models):
        groups.setdefault(_features_key(model) or f"model {place}", []).append(place)
    return list(groups.values())


def _features_key(model: Model) -> str | None:
    """Return what decides the features of a linear probe; None for what adapts its backbone.

    A decoder that sees the image too answers alone: its features are not blocks only.
    """
    said = model.description
    if not isinstance(getattr(said.recipe, "peft", None), LinearProbe) or not said.weights_hash:
        return None
    if isinstance(model, Segmenter) and model.decoder.sees_image:
        return None
    return repr((said.recipe.backbone, said.recipe.coords, said.weights_hash, said.weights_bands,
                 said.architecture, said.bands, said.mean, said.std, said.image_size,
                 said.num_frames))
