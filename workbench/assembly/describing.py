"""What a recipe comes to: blocks frozen or trained, where the adapter sits, sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

import torch
from torch import Tensor, nn

from workbench.assembly.building import build_skeleton
from workbench.models.loading import find_facts
from workbench.models.segmenter import Segmenter
from workbench.peft import LinearProbe
from workbench.recipe import AnyRecipe, Recipe
from workbench.reprs import html_card, readable_bytes, readable_count, text_table


@dataclass(frozen=True)
class Part:
    """A stretch of the model whose pieces are all treated alike.

    `trained` counts the parameters that learn, `added` those that the adapter brought.
    """

    name: str
    total: int
    trained: int
    added: int = 0
    note: str = ""
    pieces: tuple[int, ...] = ()

    @property
    def state(self) -> str:
        """Return `fixed`, `frozen`, `frozen + adapter`, `trained` or `partly trained`."""
        if not self.total:
            return "fixed"
        if not self.trained:
            return "frozen"
        if self.added and self.trained == self.added:
            return "adapter" if self.added == self.total else "frozen + adapter"
        return "trained" if self.trained == self.total else "partly trained"


@dataclass(frozen=True)
class Diagram:
    """The model that a recipe describes, from the image to the logits; shows itself.

    Attributes:
        recipe: What was described.
        parts: From input to output.
        adapter_bytes: Size of the adapter's tensors on disk.
        checkpoint_bytes: The same with decoder and normalisation: all that a run saves.
    """

    recipe: AnyRecipe
    parts: tuple[Part, ...]
    adapter_bytes: int
    checkpoint_bytes: int

    @property
    def trainable(self) -> int:
        """The number of parameters that learn."""
        return sum(part.trained for part in self.parts)

    @property
    def total(self) -> int:
        """The number of all parameters."""
        return sum(part.total for part in self.parts)

    def summary(self) -> str:
        """Return the sizes in one line."""
        share = f" ({100 * self.trainable / self.total:.1f} %)" if self.total else ""
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
        boxes = "".join(map(_box, self.parts))
        legend = "".join(
            f'<span style="{_CHIP};{style}">{escape(state)}</span>'
            for state, style in _STYLES.items()
            if any(part.state == state for part in self.parts)
        )
        return html_card("Model", notes=(repr(self.recipe),), body=(
            f'<div style="max-width:640px">{boxes}</div><div style="margin:6px 0">{legend}</div>'
            f"<div>{escape(self.summary())}</div>"
        ))  # fmt: skip


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
        RecipeError: The PEFT method does not fit the backbone; those that do are named.
        BandError: A band that the recipe needs is not there.
    """
    if not isinstance(recipe, Recipe):
        note = f"threshold {recipe.threshold} on {' and '.join(recipe.bands)}"
        return Diagram(recipe, (Part(recipe.index.upper(), 0, 0, note=note),), 0, 0)
    given = bands or recipe.bands or find_facts(recipe.backbone).bands
    count = classes if isinstance(classes, int) else len(classes)
    shape = {"classes": count, "bands": given, "image_size": image_size, "num_frames": num_frames}
    plain = build_skeleton(recipe.but(peft=LinearProbe()), **shape)  # type: ignore[arg-type]
    model = build_skeleton(recipe, **shape)  # type: ignore[arg-type]
    adapter = model.adapter.tensors()
    own = {name: t for name, t in model.state_dict().items() if not name.startswith("backbone.")}
    size = stored_bytes(adapter)
    return Diagram(recipe, tuple(_parts(recipe, plain, model)), size, size + stored_bytes(own))


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


def _parts(recipe: Recipe, plain: Segmenter, model: Segmenter) -> list[Part]:
    before, after = plain.backbone, model.backbone
    new = {name for name, _ in after.named_children()} - {n for n, _ in before.named_children()}
    method = " ".join(filter(None, [repr(recipe.peft), recipe.peft.placement]))
    blocks = _blocks(plain, model, method)
    inside = {id(weight) for block in after.blocks or () for weight in block.parameters()}
    grafts = [after.get_submodule(name) for name in sorted(new)]
    added = {id(weight) for graft in grafts for weight in graft.parameters()}
    rest = {
        name: weight
        for name, weight in after.named_parameters()
        if id(weight) not in inside | added
    }
    norm = {name for name in rest if blocks and {"norm", "fc_norm"} & set(name.split("."))}
    embedding = [weight for name, weight in rest.items() if name not in norm]
    bands = after.bands
    parts = [
        Part("input", 0, 0, note=f"{len(bands)} bands, z-scores: {', '.join(bands)}"),
        _part("embedding" if blocks else "network", embedding, note=recipe.backbone),
        *(_part("adapter", list(graft.parameters()), note=method, added=True) for graft in grafts),
        *blocks,
        _part("last norm", [rest[name] for name in norm]),
        _part(
            "decoder", list(model.decoder.parameters()),
            note=f"{recipe.decoder!r} on {_maps(model, bool(blocks))}",
        ),
    ]  # fmt: skip
    return [part for part in parts if part.total or part.name == "input"]


def _blocks(plain: Segmenter, model: Segmenter, method: str) -> list[Part]:
    """Return the blocks, those of one kind that follow each other as one part."""
    counts = []
    for old, new in zip(plain.backbone.blocks or (), model.backbone.blocks or (), strict=True):
        total, trained = _count(list(new.parameters()))
        counts.append((total, trained, total - _count(list(old.parameters()))[0]))
    parts = []
    for key, group in groupby(enumerate(counts), key=lambda entry: entry[1]):
        indices = tuple(index for index, _ in group)
        total, trained, added = (number * len(indices) for number in key)
        span = f"{indices[0]}–{indices[-1]}" if len(indices) > 1 else f"{indices[0]}"
        note = f"{method}, {readable_count(added)} parameters" if added else ""
        parts.append(Part(f"blocks {span}", total, trained, added, note, indices))
    return parts


def _maps(model: Segmenter, plain: bool) -> str:
    blocks = model.decoder.blocks
    known = plain and len(model.backbone.num_features) == len(model.backbone.blocks or ())
    what = ("block" if known else "map") + ("s" if len(blocks) > 1 else "")
    return f"{what} {', '.join(map(str, blocks))}"


def _part(
    name: str, weights: Sequence[nn.Parameter], *, note: str = "", added: bool = False
) -> Part:
    total, trained = _count(weights)
    return Part(name, total, trained, trained if added else 0, note)


def _count(weights: Sequence[nn.Parameter]) -> tuple[int, int]:
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    return sum(weight.numel() for weight in weights), trained


_CHIP = "display:inline-block;padding:1px 8px;margin-right:6px;border-radius:3px;font-size:12px"
# Colours of Paul Tol's "bright" scheme, translucent: they read in light and dark themes.
_STYLES = {
    "fixed": "border:1px dashed rgba(128,128,128,.6)",
    "frozen": "background:rgba(128,128,128,.25)",
    "frozen + adapter": "background:rgba(128,128,128,.25);border-left:6px solid #ccbb44",
    "adapter": "background:rgba(204,187,68,.5)",
    "partly trained": "background:rgba(128,128,128,.25);border-left:6px solid #ee6677",
    "trained": "background:rgba(238,102,119,.45)",
}


def _box(part: Part) -> str:
    style = _STYLES[part.state]
    count = readable_count(part.total) if part.total else ""
    cells = "".join(
        f'<span title="block {index}: {part.state}" style="{style};display:inline-block;'
        f'min-width:20px;margin:2px;text-align:center;font-size:11px">{index}</span>'
        for index in part.pieces
    )
    return (
        f'<div style="{style};padding:4px 10px;margin:2px 0;font-size:13px">'
        f'<strong>{escape(part.name)}</strong> <span style="opacity:.75">{escape(part.state)} '
        f'{escape(count)}</span> <span style="float:right;opacity:.75">{escape(part.note)}</span>'
        f"{f'<div>{cells}</div>' if cells else ''}</div>"
    )
