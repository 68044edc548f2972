"""Networks of timm: which of them can be used, and their published tensors for any bands."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import RecipeError, WeightsError, unknown_name
from workbench.models.backbones import Facts, Source
from workbench.models.weights import State

PREFIX = "timm/"
# The channels of photographs, in the order that published networks have them.
RGB = ("RED", "GREEN", "BLUE")
# Pixels per cell of the pyramid that decoders take.
STRIDES = (4, 8, 16, 32)
# What a file in another layout makes timm's conversion raise.
_FOREIGN = (KeyError, IndexError, RuntimeError, ValueError, AttributeError, AssertionError)


@cache
def timm_facts(name: str) -> Facts:
    """Return what is known of `timm/<model>`, without a network and without its weights.

    Raises:
        UnknownNameError: timm has no such model.
        RecipeError: It is neither a plain vision transformer nor a convolutional network.
    """
    import timm

    model = name.removeprefix(PREFIX)
    tagged = "." in model
    known = timm.list_models(pretrained=True) if tagged else timm.list_models()
    if model not in known:
        raise unknown_name("backbone", name, [f"{PREFIX}{entry}" for entry in known],
                           f"timm.list_models({'pretrained=True' if tagged else ''})")  # fmt: skip
    cfg = timm.get_pretrained_cfg(model)
    source = None
    if cfg and cfg.hf_hub_id:
        source = Source(cfg.hf_hub_id, cfg.hf_hub_filename or "model.safetensors")
    return Facts(
        name=name,
        family=_family(model),
        bands=RGB,
        image_size=cfg.input_size[-1] if cfg else 224,
        architecture={"model": model},
        source=source,
        licence=(cfg and cfg.license) or "not stated",
        about="from timm" + (", pre-trained on photographs" if source else ""),
    )


def _family(model: str) -> str:
    complete = complete_model(model)
    if is_plain_vit(complete):
        return "timm_vit"
    if not any(_is_attention(module) for module in complete.modules()) and pyramid(model):
        return "timm_features"
    raise RecipeError(
        f"{PREFIX}{model} ({type(complete).__name__}) is neither a plain vision transformer (with "
        f"blocks and positions) nor a convolutional network with features at strides of 4 to 32; "
        f"those of timm work, such as '{PREFIX}vit_small_patch16_224' or '{PREFIX}convnext_tiny'."
    )


def is_plain_vit(model: nn.Module) -> bool:
    """Return whether a timm model is a stack of equal blocks on patches with positions."""
    from timm.layers import PatchEmbed
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(model, VisionTransformer | Eva):
        return False
    placed = model.pos_embed is not None or getattr(model, "rope", None) is not None
    return type(model.patch_embed) is PatchEmbed and placed


def _is_attention(module: nn.Module) -> bool:
    return hasattr(module, "qkv") or "Attention" in type(module).__name__


@cache
def complete_model(model: str, **sizes: Any) -> nn.Module:
    """Return a timm model with its classifier, without any memory for its weights."""
    import timm

    with torch.device("meta"):
        return timm.create_model(model, pretrained=False, **sizes)


@cache
def pyramid(model: str) -> tuple[int, ...]:
    """Return which features of a timm model have the strides 4 to 32; empty where one lacks."""
    import timm

    try:
        with torch.device("meta"):
            features: Any = timm.create_model(model, pretrained=False, features_only=True)
    except (RuntimeError, AttributeError, AssertionError, TypeError):  # It has no features to give.
        return ()
    info = features.feature_info
    found = dict(zip(info.reduction(), info.out_indices, strict=True))
    return tuple(found[stride] for stride in STRIDES) if found.keys() >= set(STRIDES) else ()


def create(build: Callable[[], Any]) -> Any:
    """Return what `build` makes; also on the meta device with buffers that no file holds."""
    model = build()
    held = model.state_dict()
    if any(buffer.is_meta and name not in held for name, buffer in model.named_buffers()):
        with torch.device("cpu"):
            return build()
    return model


def fit_timm_state(
    network: nn.Module,
    complete: nn.Module,
    state: State,
    bands: tuple[str, ...],
    wanted_bands: tuple[str, ...],
    origin: str,
) -> State:
    """Return published tensors under the names of `network`, for its bands and its image size.

    Dropped are a classifier, and what else stands in the complete model behind the last feature.

    Args:
        network: The part of the model that is used, built for `wanted_bands`.
        complete: The complete model as timm has it.
        state: The tensors of a file: timm's names, under any prefix, or this package's.
        bands: Bands that the tensors were trained with.
        wanted_bands: Bands of the network.
        origin: Where the tensors come from, for messages.
    """
    wanted = network.state_dict()
    firsts = _first_convolutions(complete)
    named = _without_prefix(state, firsts[0])
    if not all(name in wanted and _alike(tensor, wanted[name])
               for name, tensor in _renamed(named, wanted, complete).items()):  # fmt: skip
        named = _converted(named, network, complete, origin)
    fitted = _renamed(named, wanted, complete)
    for first in (_own_name(name, wanted) for name in firsts):
        if first in fitted and fitted[first].ndim == 4:
            fitted[first] = adapt_bands(fitted[first], bands, wanted_bands, origin)
    return fitted


def adapt_bands(
    weight: Tensor, bands: tuple[str, ...], wanted: tuple[str, ...], origin: str
) -> Tensor:
    """Return the first convolution's weight ``(D, C, h, w)`` for other bands.

    Bands go by name. Where some are new, they take the weights of the trained ones in turn and
    all are scaled by trained / wanted, so that sums keep their size. Source: timm 1.0,
    adapt_input_conv, for more than three channels.

    Raises:
        WeightsError: The weight has as many channels as neither of the two sets of bands.
    """
    if weight.shape[1] == len(wanted) != len(bands) or bands == wanted:
        return weight
    if weight.shape[1] != len(bands):
        raise WeightsError(
            f"The first convolution of {origin} takes {weight.shape[1]} bands; expected "
            f"{len(bands)} ({', '.join(bands)}) or {len(wanted)} ({', '.join(wanted)})."
        )
    new = [band for band in wanted if band not in bands]
    turn = {band: index % len(bands) for index, band in enumerate(new)}
    where = [turn[band] if band in turn else bands.index(band) for band in wanted]
    picked = weight[:, where]
    if not new:
        return picked
    warnings.warn(
        f"{origin} was not trained with {', '.join(new)}: their part of the first convolution "
        f"starts from that of {', '.join(bands)}.",
        stacklevel=5,
    )
    return picked * (len(bands) / len(wanted))


def _first_convolutions(complete: Any) -> list[str]:
    """Return the names of the weights that see the bands; some networks have parallel ones."""
    said = complete.pretrained_cfg["first_conv"]
    return [f"{name}.weight" for name in ((said,) if isinstance(said, str) else said)]


def _alike(one: Tensor, other: Tensor) -> bool:
    """Return whether two shapes are equal, but for the channels that a convolution takes."""
    if one.ndim == other.ndim == 4:
        return one.shape[0] == other.shape[0] and one.shape[2:] == other.shape[2:]
    return one.shape == other.shape


def _without_prefix(state: State, first: str) -> State:
    ends = (first, first.replace(".", "_", 1)) if first.count(".") > 1 else (first,)
    found = [name for name in state for end in ends if name == end or name.endswith(f".{end}")]
    if not found:
        return state
    shortest = min(found, key=len)
    end = next(end for end in ends if shortest == end or shortest.endswith(f".{end}"))
    return {name.removeprefix(shortest[: -len(end)]): tensor for name, tensor in state.items()}


def _own_name(name: str, wanted: Mapping[str, Tensor]) -> str:
    """Return the name among a pyramid's features, where timm joins the first two parts."""
    joined = name.replace(".", "_", 1)
    return joined if name not in wanted and joined in wanted else name


def _renamed(state: State, wanted: Mapping[str, Tensor], complete: nn.Module) -> State:
    droppable = complete.state_dict()
    names = {name: _own_name(name, wanted) for name in state}
    return {
        own: state[name] for name, own in names.items() if own in wanted or name not in droppable
    }


def _converted(state: State, network: nn.Module, complete: nn.Module, origin: str) -> State:
    """Return tensors after timm's own conversion of older layouts and other image sizes."""
    convert = getattr(sys.modules[type(complete).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    like = network if type(network) is type(complete) else complete
    try:
        return convert(dict(state), like)
    except _FOREIGN as error:
        raise WeightsError(
            f"{origin} does not fit timm's {type(complete).__name__}: {error}. "
            "Check that the file belongs to this backbone."
        ) from error
