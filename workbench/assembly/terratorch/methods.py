"""Which PEFT method a checkpoint of TerraTorch was trained with."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.assembly.terratorch.parts import Parts, Sizes
from workbench.assembly.terratorch.reading import Said
from workbench.errors import RecipeError
from workbench.peft import VPT, FullFineTuning, LinearProbe, LoRA, Method, ViTAdapter
from workbench.peft.vit_adapter import stages_of


def method_of(parts: Parts, sizes: Sizes, said: Said) -> Method:
    """Return the PEFT method, with the options that shapes and the configuration tell.

    Raises:
        RecipeError: It is none that is imported, or an option is not known.
    """
    if "vit_adapter.level_embed" in parts.adapter:
        return _vit_adapter(parts, sizes, said)
    prompts = [tensor for name, tensor in parts.adapter.items() if "vpt_prompt" in name]
    lora = {name: tensor for name, tensor in parts.adapter.items() if ".lora_A." in name}
    if not prompts and not lora:
        frozen = said.find("freeze_backbone") is True
        return LinearProbe() if frozen else FullFineTuning()
    if prompts and not lora:
        dropout = said.find("vpt_dropout", "backbone_vpt_dropout")
        return VPT(tokens=prompts[0].shape[1], dropout=float(dropout or 0.0),
                   deep=len(prompts) == sizes.architecture["depth"])  # fmt: skip
    alpha = said.find("lora_alpha")
    if prompts or not isinstance(alpha, int):
        raise RecipeError(
            "A checkpoint does not say LoRA's alpha. Pass the configuration that the model was "
            "trained with, or config={'lora_alpha': …}."
        )
    rank = next(iter(lora.values())).shape[0]
    return LoRA(rank=rank, alpha=alpha, targets=_targets(list(lora), sizes),
                dropout=float(said.find("lora_dropout") or 0.0),
                dora=any(".lora_magnitude_vector." in name for name in parts.adapter),
                rslora=said.find("use_rslora") is True)  # fmt: skip


def _vit_adapter(parts: Parts, sizes: Sizes, said: Said) -> ViTAdapter:
    heads, depth = sizes.architecture["num_heads"], sizes.architecture["depth"]
    stages = [[stage.start, stage.stop - 1] for stage in stages_of(depth)]
    own = {"deform_num_heads": heads, "interaction_indexes": stages, "deform_ratio": 0.5,
           "add_vit_feature": True, "with_cffn": False, "use_extra_extractor": True}  # fmt: skip
    for name, same in own.items():
        given = said.find(name, f"backbone_{name}")
        if given is not None and given != same:
            raise RecipeError(
                f"A ViT-Adapter with {name}={given!r} is not imported; only {same!r}."
            )
    weights = parts.adapter["vit_adapter.interactions.0.extractor.attn.attention_weights.weight"]
    channels = parts.adapter["vit_adapter.spm.stem.0.weight"].shape[0]
    return ViTAdapter(channels=channels, points=weights.shape[0] // heads)


def _targets(names: Sequence[str], sizes: Sizes) -> tuple[str, ...]:
    """Return the roles of the linear layers that have an update.

    Source: their names in TerraTorch's Prithvi (timm's block) and Clay.
    """
    endings = {"q": ("q_linear",), "k": ("k_linear",), "v": ("v_linear",),
               "qkv": ("attn.qkv", "to_qkv"), "proj": ("attn.proj", "to_out"),
               "fc1": ("mlp.fc1", "1.net.1"), "fc2": ("mlp.fc2", "1.net.3")}  # fmt: skip
    layers = [name.partition(".lora_A.")[0] for name in names]
    roles = {role: sum(layer.endswith(ending) for layer in layers)
             for role, ending in endings.items()}  # fmt: skip
    depth = sizes.architecture["depth"]
    if sum(roles.values()) != len(layers) or any(count not in (0, depth)
                                                 for count in roles.values()):  # fmt: skip
        raise RecipeError(
            f"LoRA on {len(layers)} layers such as {layers[0]} is not imported; only on the same "
            "of q, k, v, qkv, proj, fc1, fc2 in every block."
        )
    return tuple(role for role, count in roles.items() if count)
