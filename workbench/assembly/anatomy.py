"""Parts of an assembled model, each treated alike: what is frozen, what learns, what was added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from workbench.models.backbones import Backbone
from workbench.models.segmenter import Segmenter
from workbench.peft import Site
from workbench.recipe import Recipe
from workbench.reprs import readable_count


@dataclass(frozen=True)
class Part:
    """A stretch of the model whose pieces are all treated alike.

    `trained` counts the parameters that learn, `added` those that the adapter brought. `pieces`
    are the indices of blocks, `layers` the normalisation and linear layers of one of them by role.
    """

    name: str
    total: int
    trained: int
    added: int = 0
    note: str = ""
    pieces: tuple[int, ...] = ()
    layers: tuple[Part, ...] = ()

    @property
    def state(self) -> str:
        """Return `fixed`, `frozen`, `frozen + adapter`, `adapter`, `trained`, `partly trained`."""
        if not self.total:
            return "fixed"
        if not self.trained:
            return "frozen"
        if self.added and self.trained == self.added:
            return "adapter" if self.added == self.total else "frozen + adapter"
        return "trained" if self.trained == self.total else "partly trained"


def find_parts(recipe: Recipe, plain: Segmenter, model: Segmenter) -> list[Part]:
    """Return the parts from the image to the logits.

    Args:
        recipe: What `model` was built from.
        plain: The same model before a method was applied.
        model: With the method applied.
    """
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
    first, entry = "network", recipe.backbone
    if blocks:
        first, entry = "embedding", f"{recipe.backbone}, patches of {before.patch_size} pixels"
    parts = [
        Part("image", 0, 0, note=f"{len(bands)} bands, z-scores: {', '.join(bands)}"),
        _part(first, embedding, entry),
        *(_part("adapter", list(graft.parameters()), method, added=True) for graft in grafts),
        *blocks,
        _part("last norm", [rest[name] for name in norm]),
        *_decoder(recipe, model, bool(blocks)),
    ]  # fmt: skip
    return [part for part in parts if part.total or part.name == "image"]


def _blocks(plain: Segmenter, model: Segmenter, method: str) -> list[Part]:
    """Return the blocks, those of one kind that follow each other as one part."""
    before, after = list(plain.backbone.blocks or ()), list(model.backbone.blocks or ())
    sites: tuple[Site, ...] = model.adapter.sites
    kinds = []
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        counts = *_count(new), _count(new)[0] - _count(old)[0]
        kinds.append((counts, tuple(site for site in sites if index in site.blocks)))
    parts = []
    for (counts, _), group in groupby(enumerate(kinds), key=lambda entry: entry[1]):
        indices = tuple(index for index, _ in group)
        total, trained, added = (number * len(indices) for number in counts)
        first, last = indices[0], indices[-1]
        name = f"blocks {first}–{last}" if last > first else f"block {first}"
        note = f"{method}, {readable_count(added)} parameters" if added else ""
        layers = _layers(plain.backbone, before[first], after[first])
        parts.append(Part(name, total, trained, added, note, indices, tuple(layers)))
    return parts


def _layers(backbone: Backbone, before: nn.Module, after: nn.Module) -> Iterator[Part]:
    """Yield the layers of a block in order, by role; query, key and value always apart."""
    roles = {
        id(backbone.get_submodule(path)): role
        for role, paths in backbone.linear_roles().items()
        for path in paths
    }
    for name, old in before.named_modules():
        role = "norm" if "Norm" in type(old).__name__ else roles.get(id(old))
        if role is None:
            continue
        new = after.get_submodule(name)
        parts = {"q": new, "k": new, "v": new} if role == "qkv" else {role: new}
        for part, whole in parts.items():
            own = getattr(whole, f"{part}_linear", None)
            share = 1 if own is not None else len(parts)
            total, trained = (count // share for count in _count(own or whole))
            yield Part(part, total, trained, total - _count(old)[0] // len(parts))


def _decoder(recipe: Recipe, model: Segmenter, blocks: bool) -> list[Part]:
    decoder, backbone = model.decoder, model.backbone
    neck = getattr(decoder, "neck", None) or nn.Module()
    strides = ", ".join(f"{backbone.strides[0] * factor:g}" for factor in (0.25, 0.5, 1, 2))
    mine = {id(weight) for weight in neck.parameters()}
    rest = [weight for weight in decoder.parameters() if id(weight) not in mine]
    known = blocks and len(backbone.num_features) == len(backbone.blocks or ())
    what = ("block" if known else "map") + ("s" if len(decoder.blocks) > 1 else "")
    source = f"{what} {', '.join(map(str, decoder.blocks))}"
    return [
        _part("neck", list(neck.parameters()), f"{source} to strides {strides}"),
        _part("decoder", rest, f"{recipe.decoder!r} on {source}"),
    ]


def _part(
    name: str, weights: Sequence[nn.Parameter], note: str = "", *, added: bool = False
) -> Part:
    total, trained = _sum(weights)
    return Part(name, total, trained, trained if added else 0, note)


def _count(module: nn.Module) -> tuple[int, int]:
    return _sum(list(module.parameters()))


def _sum(weights: Sequence[nn.Parameter]) -> tuple[int, int]:
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    return sum(weight.numel() for weight in weights), trained
