"""TerraTorch's tensors under this package's names, and the sizes that their shapes tell.

Source: TerraTorch 1.2.13: EncoderDecoderFactory (`encoder`, `neck`, `decoder`, `head`), Hugging
Face peft's and TerraTorch's own names of adapters.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import torch

from workbench.assembly.terratorch.reading import Said
from workbench.errors import RecipeError, WeightsError
from workbench.models.weights import State

# What training needed and prediction does not.
_DROPPED = ("criterion.", "train_metrics.", "val_metrics.", "test_metrics.", "aux_heads.")
_WRAPPERS = ("_orig_mod.", "base_model.model.", "_timm_module.", "clay_encoder.")
_QKV = re.compile(r"(.*qkv)\.([qkv])_linear\.(weight|bias)$")
# The ViT-Adapter's branch stands among the backbone's own tensors.
_BRANCH = ("level_embed", "spm.", "interactions.", "up.", "norm1.", "norm2.", "norm3.", "norm4.")
# In the names of an adapter's tensors, and in no others.
ADAPTER_MARKS = (".lora_", "vpt_prompt_embeddings.", "vit_adapter.")


@dataclass
class Parts:
    """The tensors of a checkpoint: `backbone` without its adapter, `adapter`, `decoder`."""

    backbone: State = field(default_factory=dict)
    adapter: State = field(default_factory=dict)
    decoder: State = field(default_factory=dict)
    head: State = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """How many classes the last layer tells apart."""
        return len(self.head["head.bias"] if self.head else self.decoder["conv.bias"])


def split(state: State, origin: str) -> Parts:
    """Sort a checkpoint's tensors.

    Raises:
        WeightsError: There is no encoder and decoder, or tensors that belong to neither.
    """
    inside = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    parts, unknown = Parts(), []
    for name, tensor in inside.items():
        short = name.replace("_orig_mod.", "")
        if short.startswith(_DROPPED):
            continue
        part, _, rest = short.partition(".")
        if part == "encoder":
            _sort_encoder(parts, _unwrapped(rest), tensor)
        elif part == "neck" and (found := re.fullmatch(r"\d+\.(fpn\d\..*)", rest)):
            parts.decoder[f"neck.{found[1]}"] = tensor
        elif part == "decoder":
            parts.decoder[rest.replace("decoder.blocks.", "stages.")] = tensor
        elif part == "head" and (found := re.fullmatch(r"head\.\d+\.(weight|bias)", rest)):
            parts.head[f"head.{found[1]}"] = tensor
        else:
            unknown.append(name)
    # A linear decoder can do without a head.
    whole = len(parts.head) == 2 or (not parts.head and "conv.bias" in parts.decoder)
    if unknown or not parts.backbone or not parts.decoder or not whole:
        what = f"tensors such as {', '.join(unknown[:4])}" if unknown else "no whole model"
        raise WeightsError(
            f"{origin} holds {what}; expected a model of TerraTorch's EncoderDecoderFactory: "
            "tensors named encoder.*, neck.*, decoder.* and head.head.* (after model., if any)."
        )
    parts.backbone = _fused(parts.backbone)
    if "vit_adapter.level_embed" in parts.adapter:
        _add_unused(parts)
    return parts


def decoder_of(parts: Parts, said: Said) -> tuple[str, dict[str, Any], State]:
    """Return name, options and tensors of the decoder.

    Raises:
        RecipeError: It is none of the four.
    """
    names = parts.decoder
    if "conv.weight" in names:
        return "linear", {"upsampling": names["conv.weight"].shape[-1]}, _one_linear(parts)
    tensors = {**names, **parts.head}
    if "convs.0.0.weight" in names:
        stages = {name.split(".")[1] for name in names if name.startswith("convs.")}
        width = names["convs.0.0.weight"].shape[1]
        return "fcn", {"channels": width, "num_convs": len(stages)}, tensors
    if "psp_modules.0.1.conv.weight" in names:
        options = {"channels": names["bottleneck.conv.weight"].shape[0]}
        pools = said.find("decoder_pool_scales", "pool_scales")
        return "upernet", {**options, **({"pools": tuple(pools)} if pools else {})}, tensors
    if "stages.0.conv1.0.weight" in names:
        count = len({name.split(".")[1] for name in names if name.startswith("stages.")})
        channels = [names[f"stages.{index}.conv1.0.weight"].shape[0] for index in range(count)]
        return "unet", {"channels": channels}, tensors
    decoder = said.find("decoder")
    raise RecipeError(
        f"The decoder {decoder or 'of the checkpoint'} is not imported (its tensors: "
        f"{', '.join(list(names)[:3])}). Those that are: LinearDecoder, FCNDecoder, UNetDecoder, "
        "UperNetDecoder."
    )


@dataclass(frozen=True)
class Sizes:
    """A backbone's family and sizes; `image_size` is what its positions were made for."""

    family: str
    architecture: dict[str, Any]
    num_bands: int | None
    coords: tuple[str, ...]
    image_size: int | None
    num_frames: int


def sizes_of(parts: Parts, said: Said) -> Sizes:
    """Return what the shapes of a backbone tell, and the configuration where they do not.

    Raises:
        RecipeError: It is neither Prithvi nor Clay, or the number of heads is not known.
    """
    if "patch_embedding.fclayer.l1.weight" in parts.backbone:
        return _clay(parts, said)
    if "patch_embed.proj.weight" in parts.backbone and "blocks.0.attn.qkv.weight" in parts.backbone:
        return _prithvi(parts, said)
    raise RecipeError(
        f"The backbone {said.find('backbone') or 'of the checkpoint'} is not imported (its tensors:"
        f" {', '.join(list(parts.backbone)[:3])}). Those that are: Prithvi and Clay v1."
    )


def _prithvi(parts: Parts, said: Said) -> Sizes:
    state = parts.backbone
    dim, num_bands, tubelet, patch, _ = state["patch_embed.proj.weight"].shape
    if tubelet != 1:
        raise RecipeError(f"Patches over {tubelet} frames are not imported; only over one.")
    coords = tuple(
        coord for coord, name in (("time", "temporal"), ("location", "location"))
        if f"{name}_embed_enc.scale" in state
    )  # fmt: skip
    if not coords and isinstance(given := said.find("coords_encoding", "backbone_coords_encoding"),
                                 list | tuple):  # fmt: skip
        coords = tuple(coord for coord in ("time", "location") if coord in given)
        state.update({f"{'temporal' if coord == 'time' else coord}_embed_enc.scale": torch.ones(1)
                      for coord in coords})  # fmt: skip
    depth = _count(state, "blocks")
    frames = max(1, _inputs(parts) // dim)
    tokens = state["pos_embed"].shape[1] - 1 if "pos_embed" in state else 0
    side = math.isqrt(tokens // frames)
    asked = said.find("img_size", "backbone_img_size")
    return Sizes(
        family="prithvi",
        architecture={
            "embed_dim": dim, "depth": depth, "patch_size": patch,
            "num_heads": _heads(said, dim, depth, {(192, 12): 3, (768, 12): 12, (1024, 24): 16,
                                                   (1280, 32): 16}),
            "mlp_ratio": state["blocks.0.mlp.fc1.weight"].shape[0] / dim,
        },
        num_bands=num_bands,
        coords=coords,
        image_size=side * patch if side and side**2 * frames == tokens else asked,
        num_frames=frames,
    )  # fmt: skip


def _clay(parts: Parts, said: Said) -> Sizes:
    state = parts.backbone
    dim, depth = state["cls_token"].shape[-1], _count(state, "transformer.layers")
    inner = state["transformer.layers.0.0.to_qkv.weight"].shape[0] // 3
    patch = math.isqrt(state["patch_embedding.weight_generator.fc_weight.weight"].shape[0] // dim)
    heads = _heads(said, dim, depth, {(768, 12): 12})
    hidden = state["transformer.layers.0.1.net.1.weight"].shape[0]
    architecture = {"embed_dim": dim, "depth": depth, "patch_size": patch, "num_heads": heads,
                    "dim_head": inner // heads, "mlp_ratio": hidden / dim}  # fmt: skip
    size = said.find("img_size", "backbone_img_size")
    return Sizes("clay", architecture, None, (), size, 1)


def _heads(said: Said, dim: int, depth: int, known: dict[tuple[int, int], int]) -> int:
    heads = said.find("num_heads", "backbone_num_heads", "heads", "backbone_heads")
    heads = heads or known.get((dim, depth))
    if not isinstance(heads, int):
        raise RecipeError(
            f"A checkpoint does not say how many heads attention has, and {dim} channels in "
            f"{depth} blocks are no published size. Pass config={{'num_heads': …}}."
        )
    return heads


def _inputs(parts: Parts) -> int:
    """Return the channels that the backbone gives to what follows it."""
    for name in ("neck.fpn1.0.weight", "conv.weight", "convs.0.0.weight"):
        if name in parts.decoder:
            return parts.decoder[name].shape[0]
    return 0


def _count(state: State, prefix: str) -> int:
    pattern = re.compile(rf"{re.escape(prefix)}\.(\d+)\.")
    return len({found[1] for name in state if (found := pattern.match(name))})


def _unwrapped(name: str) -> str:
    while wrapper := next((entry for entry in _WRAPPERS if name.startswith(entry)), None):
        name = name.removeprefix(wrapper)
    return name


def _sort_encoder(parts: Parts, name: str, tensor: torch.Tensor) -> None:
    if "vpt_prompt_embeddings." in name:
        parts.adapter[name.removeprefix("transformer.")] = tensor
    elif name.startswith(_BRANCH):
        parts.adapter[f"vit_adapter.{name}"] = tensor
    elif ".lora_" in name:
        parts.adapter[name] = tensor
    else:
        parts.backbone[name.replace(".base_layer.", ".")] = tensor


def _add_unused(parts: Parts) -> None:
    """Add what the reference's ViT-Adapter leaves out, and no feature depends on."""
    dim = parts.backbone["patch_embed.proj.weight"].shape[0]
    parts.backbone.update({
        "cls_token": torch.zeros(1, 1, dim), "norm.weight": torch.ones(dim),
        "norm.bias": torch.zeros(dim),
    })  # fmt: skip


def _fused(state: State) -> State:
    """Put query, key and value, where they were taken apart, into one layer again."""
    fused: State = {}
    for name, tensor in state.items():
        found = _QKV.fullmatch(name)
        if found is None:
            fused[name] = tensor
        elif found[2] == "q":
            layer, kind = found[1], found[3]
            fused[f"{layer}.{kind}"] = torch.cat(
                [state[f"{layer}.{part}_linear.{kind}"] for part in "qkv"]
            )
    return fused


def _one_linear(parts: Parts) -> State:
    """Return the transposed convolution, with the 1x1 convolution behind it where there is one."""
    weight, bias = parts.decoder["conv.weight"], parts.decoder["conv.bias"]
    if not parts.head:
        return dict(parts.decoder)
    mix = parts.head["head.weight"][:, :, 0, 0]
    return {
        "conv.weight": torch.einsum("ichw,kc->ikhw", weight, mix).contiguous(),
        "conv.bias": mix @ bias + parts.head["head.bias"],
    }
