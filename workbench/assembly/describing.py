"""What a recipe comes to: blocks frozen or trained, where the adapter sits, sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from workbench.assembly.anatomy import Part, find_parts
from workbench.assembly.building import build_skeleton
from workbench.assembly.drawing import draw_model
from workbench.assembly.shapes import Drawing
from workbench.errors import RecipeError
from workbench.models.loading import find_facts
from workbench.peft import LinearProbe, Site
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex
from workbench.reprs import (
    html_card,
    readable_bytes,
    readable_count,
    readable_percent,
    text_table,
)


@dataclass(frozen=True)
class Diagram:
    """The model that a recipe describes, from the image to the logits; shows itself.

    Attributes:
        recipe: What was described.
        parts: From input to output.
        adapter_bytes: Size of the adapter's tensors on disk.
        checkpoint_bytes: The same with decoder and normalisation: all that a run saves.
        classes: Number of classes.
        maps: Channels and pixels a cell of each feature map.
        sites: Where added modules act on blocks.
    """

    recipe: AnyRecipe
    parts: tuple[Part, ...]
    adapter_bytes: int
    checkpoint_bytes: int
    classes: int = 2
    maps: tuple[tuple[int, int], ...] = ()
    sites: tuple[Site, ...] = ()

    @property
    def trainable(self) -> int:
        """The number of parameters that learn."""
        return sum(part.trained for part in self.parts)

    @property
    def total(self) -> int:
        """The number of all parameters."""
        return sum(part.total for part in self.parts)

    @cached_property
    def drawing(self) -> Drawing:
        """The picture as shapes; `wb.plot` makes a figure of it."""
        return draw_model(
            self.parts, self.sites, self.maps, self.classes, self.summary().split(" · ")
        )

    def svg(self) -> str:
        """Return the picture as inline SVG, in the text colour of the page around it."""
        return self.drawing.svg(self.summary())

    def summary(self) -> str:
        """Return the sizes in one line."""
        share = f" ({readable_percent(self.trainable / self.total)})" if self.total else ""
        return (
            f"trains {readable_count(self.trainable)} of {readable_count(self.total)} parameters"
            f"{share} · adapter {readable_bytes(self.adapter_bytes)} on disk, with decoder "
            f"{readable_bytes(self.checkpoint_bytes)}"
        )

    def __repr__(self) -> str:
        rows = [[p.name, p.state, readable_count(p.total), p.note] for p in self.parts]
        table = text_table(["part", "state", "parameters", ""], rows)
        return f"{self.recipe!r}\n\n{table}\n\n{self.summary()}"

    def _repr_html_(self) -> str:
        return html_card("Model", notes=(repr(self.recipe), self.summary()), body=self.svg())


def describe(
    recipe: AnyRecipe,
    *,
    classes: int | Sequence[object] = 2,
    bands: Sequence[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    num_frames: int = 1,
) -> Diagram:
    """Draw the model that a recipe describes, before anything is downloaded or trained.

    The model is built without memory for its weights, so that all counts and sizes are exact.

    Args:
        recipe: What to draw.
        classes: Their number, or the classes.
        bands: Bands that the data have; by default the recipe's, else the backbone's.
        image_size: Side in pixels that positions are made for.
        num_frames: Number of dates in an image.

    Raises:
        RecipeError: It is no recipe, or its PEFT method does not fit the backbone; those that do
            are named.
        BandError: A band that the recipe needs is not there.
    """
    count = classes if isinstance(classes, int) else len(classes)
    if not isinstance(recipe, Recipe | SpectralIndex):
        raise RecipeError(
            f"wb.describe takes a recipe, not {recipe!r}: wb.describe(wb.Recipe(peft='lora'))."
        )
    if not isinstance(recipe, Recipe):
        note = f"threshold {recipe.threshold} on {' and '.join(recipe.bands)}"
        return Diagram(recipe, (Part(recipe.index.upper(), 0, 0, note=note),), 0, 0, count)
    given = bands or recipe.bands or find_facts(recipe.backbone).bands
    shape = {"classes": count, "bands": given, "image_size": image_size, "num_frames": num_frames}
    plain = build_skeleton(recipe.but(peft=LinearProbe()), **shape)  # type: ignore[arg-type]
    model = build_skeleton(recipe, **shape)  # type: ignore[arg-type]
    adapter = model.adapter.tensors()
    own = {name: t for name, t in model.state_dict().items() if not name.startswith("backbone.")}
    size = stored_bytes(adapter)
    maps = tuple(zip(model.backbone.num_features, model.backbone.strides, strict=True))
    return Diagram(
        recipe, tuple(find_parts(recipe, plain, model)), size, size + stored_bytes(own),
        count, maps, model.adapter.sites,
    )  # fmt: skip


def stored_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return the exact size of the safetensors file that holds these tensors; 0 for none.

    Source: the format's description (huggingface/safetensors, README): eight bytes, a JSON header
    padded to a multiple of eight, the tensors from the widest type on.
    """
    if not tensors:
        return 0
    header, end = {}, 0
    for name, tensor in sorted(tensors.items(), key=lambda e: (-e[1].element_size(), e[0])):
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }  # fmt: skip
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + length + -length % 8 + end


_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
           torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}  # fmt: skip
