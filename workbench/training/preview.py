"""A few validation chips predicted after every epoch, for whoever watches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from workbench.assembly import Model, encoder
from workbench.data import Split
from workbench.data.choosing import telling_chips
from workbench.models.segmenter import Segmenter
from workbench.runs.preview import Preview, write_preview
from workbench.training.features import Frozen, open_loader

CHIPS = 6
# Larger chips keep every second, third, … pixel: a preview is looked at, not scored.
LONGEST_SIDE = 256
_SHOWN = ("RED", "GREEN", "BLUE")


class Previews:
    """The same chips every epoch, spread over the training regions, chosen by their labels.

    Args:
        split: Chips come from its part `val`.
        model: The model in training, on `device`.
        folder: The run folder.
        device: Where the model is.
        frozen: Gives the features of a frozen backbone.
    """

    def __init__(self, split: Split, model: Model, folder: Path, device: torch.device,
                 frozen: Frozen | None = None) -> None:
        self._model = model
        self._folder = folder
        self._device = device
        part = split.val.select(telling_chips(split.val, CHIPS))
        encode = encoder(model) if isinstance(model, Segmenter) else None
        self._loader = open_loader(
            part.with_bands(model.bands), 1, cache=True, encode=encode, frozen=frozen
        )
        samples = [part.read(chip) for chip in part]
        step = -(-max(samples[0].mask.shape) // LONGEST_SIDE)
        self._thin = (..., slice(None, None, step), slice(None, None, step))
        shown = [part.bands.index(name) for name in _shown(part.bands)]
        self._chips = {
            "chip_ids": np.array([sample.chip_id for sample in samples]),
            "regions": np.array([sample.region for sample in samples]),
            "bands": np.array(_shown(part.bands)),
            "image": np.stack([self._thinned(sample.picture[shown]) for sample in samples])
            .astype(np.float16),
            "label": np.stack([self._thinned(sample.mask) for sample in samples])
            .astype(np.int16),
        }  # fmt: skip

    def write(self, epoch: int) -> None:
        """Predict the chips with the weights as they are and replace `preview.npz`."""
        self._model.eval()
        with torch.inference_mode():
            predicted = [
                batch.logits(self._model, lambda tensor: tensor.to(self._device))[0].argmax(0)
                for batch in self._loader.in_order()
            ]
        maps = [self._thinned(classes.cpu().numpy()) for classes in predicted]
        prediction = np.stack(maps).astype(np.int16)
        write_preview(self._folder, Preview(epoch=epoch, prediction=prediction, **self._chips))

    def _thinned(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[self._thin]


def _shown(bands: tuple[str, ...]) -> tuple[str, ...]:
    return _SHOWN if set(_SHOWN) <= set(bands) else bands[:1]
