"""Open a backbone by name: architecture, bands, weights."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.data.bands import canonical_all
from workbench.errors import BandError, RecipeError, WeightsError, unknown_name
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone, Facts
from workbench.models.backbones._timm import PREFIX, timm_facts
from workbench.models.hub import download, forget
from workbench.models.weights import State, assign_state, read_state, unwrap_state
from workbench.storage import read_json

Weights = str | Path | Mapping[str, Tensor] | None
SHIPPED = Path(__file__).parent / "pretrained"


def load_backbone(
    name: str,
    *,
    weights: Weights = None,
    bands: Sequence[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    num_frames: int = 1,
    coords: Sequence[str] | None = None,
    weights_bands: Sequence[str] | None = None,
    **architecture: Any,
) -> Backbone:
    """Build a backbone and give it its weights.

    Args:
        name: A name of `wb.backbones()`, `timm/<name>` for a network of timm, or a family
            (`"prithvi"`) with its `architecture`.
        weights: Path of a file, a state dict, `"hub"` for the published file or `"random"`; by
            default what comes with the name, and random values for a family.
        bands: Bands by name, in the order of the images; by default those of the weights. Bands
            that the weights do not know start from random values, with a warning.
        image_size: Side, or height and width, in pixels that positions are computed for; other
            sizes work as well, with positions interpolated.
        num_frames: Number of frames that features and positions are made for; as in
            `require_frames`.
        coords: Which of `"time"` and `"location"` to encode; by default what the name was
            pre-trained with.
        weights_bands: Bands that `weights` were trained with, in order; by default the name's.
        **architecture: Sizes such as `embed_dim`, `depth`, `num_heads`, `patch_size`.

    Raises:
        UnknownNameError: No such backbone.
        WeightsError: The file is missing, broken, or does not fit.
        BandError: A band has no known name, or the weights know none of them.
        RecipeError: A size is impossible, or the family has none of that name or takes fewer
            frames.
    """
    facts = find_facts(name)
    family = FAMILIES[facts.family]
    sizes = {**facts.architecture, **_checked(family, architecture)}
    state, origin = _find_weights(facts, weights)
    trained_bands = facts.bands if weights_bands is None else canonical_all(weights_bands)
    wanted = canonical_all(bands) if bands is not None else trained_bands
    if not wanted:
        raise BandError("bands=[] is empty; name the bands of the images.")
    require_frames(name, _positive("num_frames", num_frames))
    if isinstance(coords, str):
        raise RecipeError(f"coords={coords!r} is one string; pass a list of names: [{coords!r}].")
    built: dict[str, Any] = {
        "bands": wanted,
        "image_size": _sides(facts.image_size if image_size is None else image_size),
        "num_frames": num_frames,
        "coords": facts.coords if coords is None else tuple(coords),
        **sizes,
    }
    if state is None:
        model = family(**built)
    else:
        with torch.device("meta"):
            model = family(**built)
        assign_state(model, model.fit_state(state, trained_bands, origin), origin)
    model.name = name
    model.pretrained = state is not None
    model.mean, model.std = _statistics(facts, wanted)
    return model


def find_facts(name: str) -> Facts:
    """Return what is known of a named backbone, or of a family without a size."""
    if name in BACKBONES:
        return BACKBONES[name]
    if str(name).startswith(PREFIX):
        return timm_facts(name)
    if name in FAMILIES:
        return Facts(name=name, family=name, bands=FAMILIES[name].default_bands)
    raise unknown_name("backbone", name, {*BACKBONES, *FAMILIES}, "wb.backbones()")


def require_frames(name: str, num_frames: int) -> None:
    """Refuse images of more dates than a backbone takes.

    Raises:
        RecipeError: Names the backbones that take as many.
        UnknownNameError: No such backbone.
    """
    most = _max_frames(find_facts(name))
    if num_frames > most:
        others = [other for other, facts in BACKBONES.items() if num_frames <= _max_frames(facts)]
        raise RecipeError(
            f"{name!r} takes images of {f'up to {most} dates' if most > 1 else 'one date'}, and "
            f"these are of {num_frames}. Backbones that take them: {', '.join(others)}."
        )


def _max_frames(facts: Facts) -> float:
    most = FAMILIES[facts.family].max_frames
    return math.inf if most is None else most


def encodings(name: str) -> tuple[str, ...]:
    """Return which of `"time"` and `"location"` a named backbone, or any of a family, encodes."""
    facts = find_facts(name)
    return facts.coords if name in BACKBONES else FAMILIES[facts.family].encodings


def _checked(family: type[Backbone], architecture: Mapping[str, Any]) -> Mapping[str, Any]:
    general = {"self", "bands", "image_size", "num_frames", "coords"}
    known = [name for name in inspect.signature(family.__init__).parameters if name not in general]
    for name in architecture:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise RecipeError(
                f"{family.__name__} has no size named {name!r}.{hint} It has {', '.join(known)}."
            )
    return architecture


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, str) or (isinstance(size, Sequence) and len(size) != 2):
        raise RecipeError(f"image_size={size!r} is neither a side in pixels nor height and width.")
    height, width = size if isinstance(size, Sequence) else (size, size)
    return _positive("image_size", height), _positive("image_size", width)


def _positive(name: str, number: Any) -> int:
    if not isinstance(number, Integral) or int(number) < 1:
        raise RecipeError(f"{name}={number!r} is not a whole number from 1 on.")
    return int(number)


def _find_weights(facts: Facts, weights: Weights) -> tuple[State | None, str]:
    if weights is None:
        weights = "hub" if facts.source else _shipped(facts, ".safetensors") or "random"
        if isinstance(weights, Path) and not weights.is_file():
            raise WeightsError(
                f"The installation of workbench lacks {weights}, the weights of {facts.name}; "
                "install it again with pip."
            )
    if isinstance(weights, Mapping):
        # Copied, so that training does not change the caller's tensors.
        given = unwrap_state(weights, "The state dict given")
        return {name: tensor.clone() for name, tensor in given.items()}, "The state dict given"
    if weights == "random":
        return None, "random"
    if weights == "hub":
        if facts.source is None:
            raise WeightsError(f"{facts.name} is not on the hub. Pass a path, or weights='random'.")
        weights = download(facts.source)
        try:
            return read_state(weights), str(weights)
        except WeightsError:
            forget(facts.source, weights)
            raise
    return read_state(Path(weights)), str(weights)


def _shipped(facts: Facts, suffix: str) -> Path | None:
    return SHIPPED / f"{facts.shipped}{suffix}" if facts.shipped else None


def _statistics(
    facts: Facts, bands: tuple[str, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]] | tuple[None, None]:
    shared = FAMILIES[facts.family].statistics
    if shared and all(band in shared for band in bands):
        return tuple(shared[band][0] for band in bands), tuple(shared[band][1] for band in bands)
    mean, std = facts.mean, facts.std
    if card := _shipped(facts, ".json"):
        if not card.is_file():
            return None, None
        said = read_json(card)
        mean, std = said["mean"], said["std"]
    if mean is None or std is None or any(band not in facts.bands for band in bands):
        return None, None
    where = [facts.bands.index(band) for band in bands]
    return tuple(mean[index] for index in where), tuple(std[index] for index in where)
