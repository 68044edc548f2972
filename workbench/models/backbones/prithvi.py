"""Prithvi: the vision transformers of NASA and IBM, and the small one that is shipped.

Names of tensors and numbers are those of the published checkpoints. Source: Szwarcman et al. 2024,
"Prithvi-EO-2.0" (arXiv:2412.02732); code: NASA-IMPACT/Prithvi-EO-2.0, prithvi_mae.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.errors import BandError, DataError, RecipeError, WeightsError
from workbench.models.attention import Attention
from workbench.models.backbones import FAMILIES
from workbench.models.backbones._plain import PlainViT
from workbench.models.metadata import Dates, LonLat, parse_dates, parse_lonlat
from workbench.models.positions import resize_table, sincos, sincos_3d
from workbench.models.weights import State

COORDS = {"time": "temporal_embed_enc", "location": "location_embed_enc"}
_PATCHES = "patch_embed.proj.weight"


class _PatchEmbed(nn.Module):
    """Patches to tokens; tokens run frame, row, column."""

    def __init__(self, num_bands: int, dim: int, patch: int) -> None:
        super().__init__()
        size = (1, patch, patch)
        self.proj = nn.Conv3d(num_bands, dim, kernel_size=size, stride=size)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image).flatten(2).transpose(1, 2)


class _PairEncoder(nn.Module):
    """A pair of numbers (year and day, or latitude and longitude) as one vector, scaled."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, pairs: Tensor) -> Tensor:
        first = sincos(pairs[..., 0].reshape(-1).float(), self.dim // 2)
        second = sincos(pairs[..., 1].reshape(-1).float(), self.dim - self.dim // 2)
        return self.scale * torch.cat([first, second], dim=1).reshape(*pairs.shape[:-1], self.dim)


@FAMILIES.register("prithvi")
class Prithvi(PlainViT):
    """Plain ViT over patches of one or several frames; its features keep the patches' grid."""

    derived = frozenset({"pos_embed"})
    encodings = tuple(COORDS)
    max_frames = None
    pos_embed: Tensor

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (224, 224),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        embed_dim: int = 1024,
        depth: int = 24,
        num_heads: int = 16,
        patch_size: int | tuple[int, int, int] = 16,
        mlp_ratio: float = 4.0,
    ) -> None:
        # timm takes seconds to import: only who builds a transformer waits.
        from timm.models.vision_transformer import Block

        super().__init__()
        _check_architecture(embed_dim, num_heads, coords)
        patch = _square_patch(patch_size)
        self.bands = bands
        self.patch_size = patch
        self.size_multiple = 2 * patch  # The decoders' coarsest level halves the patch grid.
        self.num_features = (num_frames * embed_dim,) * depth
        self.strides = (patch,) * depth
        self.num_frames = num_frames
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.num_prefix_tokens = 1
        self.grid = (num_frames, image_size[0] // patch, image_size[1] // patch)

        self.cls_token = nn.Parameter(torch.empty(1, 1, embed_dim))
        self.register_buffer("pos_embed", sincos_3d(embed_dim, self.grid))
        self.patch_embed = _PatchEmbed(len(bands), embed_dim, patch)
        for coord in coords:
            self.add_module(COORDS[coord], _PairEncoder(embed_dim))
        # The reference's LayerNorm has torch's epsilon (1e-5), not timm's 1e-6.
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_ratio, norm_layer=nn.LayerNorm, attn_layer=Attention)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.cls_token, std=0.02)
        _initialise_patches(self.patch_embed.proj.weight)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def linear_roles(self) -> dict[str, list[str]]:
        """Return the paths of the linear layers of all blocks by role."""
        layers = {"qkv": "attn.qkv", "proj": "attn.proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}
        count = len(self.blocks or ())
        return {
            role: [f"blocks.{index}.{layer}" for index in range(count)]
            for role, layer in layers.items()
        }

    def encode(
        self,
        dates: Dates | Sequence[Dates] | None = None,
        lonlat: LonLat | Sequence[LonLat] | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return ``(B, T, 2)`` year and day of the year, ``(B, 2)`` latitude and longitude."""
        time = location = None
        if dates is not None:
            frames = parse_dates(dates)
            time = torch.tensor(
                [[(day.year, day.timetuple().tm_yday) for day in days] for days in frames]
            ).float()
        if lonlat is not None:
            pairs = parse_lonlat(lonlat)
            location = torch.tensor([(latitude, longitude) for longitude, latitude in pairs])
        return time, location

    def embed(
        self,
        frames: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
    ) -> Tensor:
        """Return patch tokens ``(B, T*h*w, D)`` with positions and metadata.

        Args:
            frames: ``(B, C, T, H, W)``, normalised; sides are multiples of the patch.
            time: ``(B, T, 2)``: year and day of the year; without it that term is left out.
            location: ``(B, 2)``: latitude and longitude in degrees, likewise.
            gsd: Not taken.
            month: Not taken.
        """
        grid = self.token_grid(frames)[:3]
        tokens = self.patch_embed(frames) + resize_table(self.pos_embed, self.grid, grid)[:, 1:]
        if time is not None:
            self._require_shape("time", time, (len(frames), grid[0], 2))
            encoded = self._encoder("time")(time)
            tokens = tokens + encoded.repeat_interleave(grid[1] * grid[2], dim=1)
        if location is not None:
            self._require_shape("location", location, (len(frames), 2))
            tokens = tokens + self._encoder("location")(location)[:, None]
        return tokens

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return a checkpoint's encoder with the patch embedding of this module's bands.

        Dropped are the masked autoencoder's decoder, encodings of time and location that this
        module has not, and the position table, which is computed for the image size.
        """
        unused = [module for coord, module in COORDS.items() if not self._has(coord)]
        fitted: State = {}
        for name, tensor in state.items():
            short = name.removeprefix("_timm_module.")
            if "decoder" in short or "_dec" in short or short == "mask_token":
                continue
            short = short.removeprefix("encoder.")
            if short.split(".")[0] not in unused:
                fitted[short] = tensor
        fitted["pos_embed"] = sincos_3d(self.cls_token.shape[-1], self.grid)
        if _PATCHES in fitted:
            fitted[_PATCHES] = self._pick_bands(fitted[_PATCHES], bands, origin)
        return fitted

    def _pick_bands(self, weight: Tensor, bands: tuple[str, ...], origin: str) -> Tensor:
        if weight.ndim != 5 or weight.shape[1] != len(bands):
            raise WeightsError(
                f"The patch embedding of {origin} has shape {tuple(weight.shape)}; expected "
                f"(dim, {len(bands)}, 1, patch, patch) for the bands {', '.join(bands)}."
            )
        if self.bands == bands:
            return weight
        new = [band for band in self.bands if band not in bands]
        if len(new) == len(self.bands):
            raise BandError(
                f"{origin} knows none of the bands {', '.join(new)}. It knows {', '.join(bands)}."
            )
        picked = weight.new_empty(len(weight), len(self.bands), *weight.shape[2:])
        if new:
            warnings.warn(
                f"{origin} was not trained with {', '.join(new)}: their part of the patch "
                "embedding starts from random values.",
                stacklevel=4,
            )
            _initialise_patches(picked)
        for index, band in enumerate(self.bands):
            if band in bands:
                picked[:, index] = weight[:, bands.index(band)]
        return picked

    def _has(self, coord: str) -> bool:
        return hasattr(self, COORDS[coord])

    def _require_shape(self, name: str, given: Tensor, shape: tuple[int, ...]) -> None:
        # One entry for all images is broadcast.
        if given.shape not in (shape, (1, *shape[1:])):
            raise DataError(
                f"{name} has the shape {tuple(given.shape)}; {self.name} takes {shape} for this "
                "image, as backbone.encode(dates, lonlat) returns it."
            )

    def _encoder(self, coord: str) -> nn.Module:
        if not self._has(coord):
            raise RecipeError(
                f"{self.name} was built without an encoding of {coord}; build it with "
                f"coords=({coord!r},) or leave {coord} out."
            )
        return self.get_submodule(COORDS[coord])


def _initialise_patches(weight: Tensor) -> None:
    nn.init.xavier_uniform_(weight.view(len(weight), -1))


def _square_patch(patch_size: int | Sequence[int]) -> int:
    sides = (patch_size,) if isinstance(patch_size, int) else tuple(patch_size)
    if len(set(sides[-2:])) != 1 or (len(sides) == 3 and sides[0] != 1) or sides[-1] < 1:
        raise RecipeError(
            f"patch_size={patch_size!r} is not a side in pixels (or (1, side, side))."
        )
    return sides[-1]


def _check_architecture(embed_dim: int, num_heads: int, coords: tuple[str, ...]) -> None:
    if embed_dim % 16 or embed_dim % num_heads:
        raise RecipeError(
            f"embed_dim={embed_dim} must be a multiple of 16 (shares of the position table) and "
            f"of num_heads={num_heads}."
        )
    unknown = [coord for coord in coords if coord not in COORDS]
    if unknown:
        raise RecipeError(f"coords={list(coords)}: {unknown} are not among {list(COORDS)}.")
