"""Plain vision transformers of timm: those pre-trained on photographs, for any bands.

The numbers are timm's own. Positions of another image size are interpolated as timm does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.models.backbones import FAMILIES, Backbone
from workbench.models.backbones._plain import block_indices, require_image
from workbench.models.backbones._timm import complete_model, create, fit_timm_state, is_plain_vit
from workbench.models.weights import State

# Names of linear layers in a block of timm, by role; fc1 is two layers where it is gated.
_LAYERS = {
    "attn.qkv": "qkv", "attn.q_proj": "q", "attn.k_proj": "k", "attn.v_proj": "v",
    "attn.proj": "proj", "mlp.fc1": "fc1", "mlp.fc1_g": "fc1", "mlp.fc1_x": "fc1", "mlp.fc2": "fc2",
}  # fmt: skip
# What only classification needs.
_HEAD = ("fc_norm", "attn_pool", "head_drop", "head", "head_dist")


@FAMILIES.register("timm_vit")
class TimmViT(Backbone):
    """A vision transformer of timm with blocks of one width and absolute or rotary positions."""

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (224, 224),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        model: str = "vit_base_patch16_224",
        embed_dim: int | None = None,
        depth: int | None = None,
        num_heads: int | None = None,
        patch_size: int | None = None,
    ) -> None:
        super().__init__()
        if num_frames != 1 or coords:
            raise RecipeError(f"timm's {model} takes one frame, and neither time nor location.")
        sizes = {"embed_dim": embed_dim, "depth": depth, "num_heads": num_heads,
                 "patch_size": patch_size}  # fmt: skip
        self.model_name = model
        self.sizes: dict[str, Any] = {
            name: value for name, value in sizes.items() if value is not None
        }
        self.bands = bands
        self.model: Any = create(lambda: self._build(image_size))
        self.patch_size = self.model.patch_embed.patch_size[0]
        self.size_multiple = 2 * self.patch_size  # The decoders' coarsest level halves the grid.
        self.embed_dim = self.model.embed_dim
        self.num_heads = self.model.blocks[0].attn.num_heads
        self.num_prefix_tokens = self.model.num_prefix_tokens
        # Beside the registry of modules, where they stand already as the model's.
        object.__setattr__(self, "blocks", self.model.blocks)
        self.num_features = (self.embed_dim,) * len(self.model.blocks)
        self.strides = (self.patch_size,) * len(self.model.blocks)

    def _build(self, image_size: tuple[int, int]) -> Any:
        # timm takes seconds to import: only who builds a network waits.
        import timm

        network: Any = timm.create_model(
            self.model_name, pretrained=False, in_chans=len(self.bands), img_size=image_size,
            dynamic_img_size=True, num_classes=0, **self.sizes,
        )  # fmt: skip
        if not is_plain_vit(network):
            raise RecipeError(f"timm's {self.model_name} is no plain vision transformer.")
        for name in _HEAD:
            if isinstance(getattr(network, name, None), nn.Module):
                setattr(network, name, None if name == "attn_pool" else nn.Identity())
        return network

    def linear_roles(self) -> dict[str, list[str]]:
        """Return the paths of the linear layers of all blocks by role."""
        roles: dict[str, list[str]] = {}
        for index, block in enumerate(self.model.blocks):
            present = dict(block.named_modules())
            for layer, role in _LAYERS.items():
                # timm adds some biases to q and v behind the fused layer's back.
                usable = layer in present and not (role == "qkv" and _bias_apart(block.attn))
                if usable:
                    roles.setdefault(role, []).append(f"model.blocks.{index}.{layer}")
        return roles

    def forward(
        self,
        image: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return the feature maps ``(B, D, h, w)`` of all blocks, or of those asked for.

        The last one is normalised where the model has a norm behind its blocks.

        Args:
            image: ``(B, C, H, W)``, or ``(B, C, 1, H, W)``, normalised; sides are multiples of
                the patch.
            time: Not taken; nor are the location, the GSD and the month.
            location: Likewise.
            gsd: Likewise.
            month: Likewise.
            blocks: Indices of blocks; negative ones count from the end.
        """
        self.refuse(time=time, location=location, gsd=gsd, month=month)
        require_image(self, image, self.bands)
        wanted = block_indices(self, blocks)
        if image.ndim == 5:
            if image.shape[2] != 1:
                raise RecipeError(f"{self.name} takes one frame; got {image.shape[2]}.")
            image = image[:, :, 0]
        grid = (image.shape[-2] // self.patch_size, image.shape[-1] // self.patch_size)
        tokens = self.model.forward_intermediates(image, output_fmt="NLC", intermediates_only=True)
        tokens[-1] = self.model.norm(tokens[-1])
        return [tokens[index].transpose(1, 2).unflatten(2, grid) for index in wanted]

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return timm's tensors with positions of this image size, for this module's bands."""
        complete = complete_model(self.model_name, **self.sizes)
        fitted = fit_timm_state(self.model, complete, state, bands, self.bands, origin)
        return {f"model.{name}": tensor for name, tensor in fitted.items()}


def _bias_apart(attention: nn.Module) -> bool:
    return getattr(attention, "q_bias", None) is not None
