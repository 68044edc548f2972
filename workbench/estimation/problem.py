"""What an estimate is made for, as plain data, and the model and batches it is tried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.assembly import encoder
from workbench.assembly.building import build_skeleton
from workbench.data import Split
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.training.loader import Batch


@dataclass(frozen=True)
class Problem:
    """A recipe and the sizes of the data it meets; no pixels, no weights."""

    recipe: Recipe
    classes: int
    bands: tuple[str, ...]
    chip_shape: tuple[int, int]
    num_frames: int = 1

    @staticmethod
    def of(recipe: Recipe, split: Split) -> Problem:
        """Return the problem that training a recipe on a split is."""
        info = split.dataset.info
        # Compiling takes minutes and changes neither what is learned nor, much, what it costs.
        plain = recipe.but(compile=False)
        return Problem(plain, len(info.classes), info.bands, info.chip_shape, info.num_frames)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "recipe": self.recipe.to_json(), "classes": self.classes,
            "bands": list(self.bands), "chip_shape": list(self.chip_shape),
            "num_frames": self.num_frames,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Problem:
        """Return the problem that `to_json` wrote."""
        rows, columns = data["chip_shape"]
        recipe = Recipe.from_json(data["recipe"])
        return Problem(recipe, data["classes"], tuple(data["bands"]), (rows, columns),
                       data["num_frames"])

    def skeleton(self) -> Segmenter:
        """Return the model without memory for its weights; nothing is read or downloaded."""
        return build_skeleton(
            self.recipe, classes=self.classes, bands=self.bands, image_size=self.chip_shape,
            num_frames=self.num_frames,
        )

    def model(self, device: torch.device) -> Segmenter:
        """Return the model on a device with weights that mean nothing."""
        return furnished(self.skeleton(), device)

    @property
    def cached(self) -> bool:
        """Whether the backbone's features are kept; later epochs then train the decoder alone."""
        frozen = not self.skeleton().trains_backbone
        return frozen and self.recipe.feature_cache != "off"

    def batch(self, model: Segmenter, size: int, device: torch.device) -> Batch:
        """Return a batch of noise, every pixel labelled, whose features nobody has kept yet."""
        rows, columns = self.chip_shape
        encode = encoder(model)
        # Any date and place will do: only the sizes of what they are encoded as matter.
        days = [("2020-01-01",) * self.num_frames] * size
        metadata = encode(days, [(0.0, 0.0)] * size) if encode else (None, None)
        frames = () if self.num_frames == 1 else (self.num_frames,)
        batch = Batch(
            torch.rand(size, len(model.bands), *frames, rows, columns),
            torch.zeros(size, rows, columns, dtype=torch.int64),
            torch.zeros(size, dtype=torch.int64), size * rows * columns, *metadata,
        )  # fmt: skip
        if model.trains_backbone or self.recipe.feature_cache == "off":
            return batch
        return batch._replace(features=lambda: features(model, batch, device))


def features(model: Segmenter, batch: Batch, device: torch.device) -> list[Tensor]:
    """Return a batch's feature maps on the host, computed as for the feature cache."""
    together = 1 if device.type == "cpu" else len(batch.image)
    parts = []
    for start in range(0, len(batch.image), together):
        given = batch.inputs(lambda tensor: tensor[start : start + together].to(device))  # noqa: B023
        with torch.no_grad():
            maps = model.features(*given)  # type: ignore[arg-type]
        # Laid out as the cache gives them: convolutions follow the layout of what they are given.
        parts.append([entry.cpu().contiguous() for entry in maps])
    return [torch.cat(maps) for maps in zip(*parts, strict=True)]


def furnished(model: Segmenter, device: torch.device) -> Segmenter:
    """Give the tensors of a skeleton memory, in place; under a `FakeTensorMode` it is none."""
    made: dict[int, Tensor] = {}
    for module in model.modules():
        named: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for tensors in named:
            for name, tensor in tensors.items():
                if tensor is not None:
                    if id(tensor) not in made:
                        made[id(tensor)] = _like(tensor, device)
                    tensors[name] = made[id(tensor)]
    return model


def _like(tensor: Tensor, device: torch.device) -> Tensor:
    real = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    # Numbers of ordinary size: denormal ones would be slower. Whole numbers are indices.
    real = real.uniform_(0.01, 0.02) if tensor.is_floating_point() else real.zero_()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(real, requires_grad=tensor.requires_grad)
    return real
