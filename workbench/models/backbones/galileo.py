"""Galileo: a vision transformer with one token for each group of bands, patch and date.

Names of tensors and numbers are those of the published encoders. Source: Tseng et al. 2025,
"Galileo" (arXiv:2502.09356); code: nasaharvest/galileo, single_file_galileo.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import DataError, RecipeError
from workbench.models.attention import attend
from workbench.models.backbones import FAMILIES
from workbench.models.backbones._galileo_input import (
    GROUPS,
    SENTINEL_2,
    STATISTICS,
    GalileoInput,
    groups_of,
)
from workbench.models.backbones._plain import PlainViT, gsd_tensor, require_coords
from workbench.models.metadata import Dates, LonLat, parse_dates
from workbench.models.positions import sincos_halved
from workbench.models.weights import State

# Side in pixels that the weights of patches are stored for, and most dates of an image.
STORED_PATCH, MAX_FRAMES = 8, 24
# June: construct_galileo_input's where no month is known.
DEFAULT_MONTH = 5
# Metres a pixel of Sentinel-2, which positions are counted in.
BASE_GSD = 10.0
# Inputs that are no images: weather, night lights, terrain, land cover, place.
_DROPPED = ("space_embed.", "time_embed.", "static_embed.", "sp_channel_embed",
            "t_channel_embed", "st_channel_embed")  # fmt: skip


class _PatchEmbed(nn.Module):
    """Patches of any side to tokens: the weights are resized as FlexiViT does."""

    def __init__(self, num_bands: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(num_bands, dim, STORED_PATCH, stride=STORED_PATCH)

    def forward(self, image: Tensor, patch: int) -> Tensor:
        weight = self.proj.weight
        if patch != STORED_PATCH:
            resize = _resizing(patch).to(weight)
            weight = (weight.flatten(2) @ resize.T).unflatten(2, (patch, patch))
        return F.conv2d(image, weight, self.proj.bias, stride=patch)


class _Attention(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (layer(tokens).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                             for layer in (self.q, self.k, self.v))  # fmt: skip
        mixed = attend(query, key, value)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class _Block(nn.Module):
    def __init__(self, dim: int, num_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = _Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = _Mlp(dim, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


@FAMILIES.register("galileo")
class Galileo(PlainViT):
    """ViT over groups of bands, patches and dates; a patch's feature is the mean of its tokens.

    The fixed tables of the checkpoints (positions in time, months) are computed. Stochastic depth
    (0.1 in pre-training) is left out.
    """

    derived = frozenset({"pos_embed", "month_embed"})
    encodings = ("time",)
    extras = ("gsd", "month")
    max_frames = MAX_FRAMES
    default_bands = SENTINEL_2
    statistics = STATISTICS
    pos_embed: Tensor
    month_embed: Tensor

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (64, 64),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        embed_dim: int = 128,
        depth: int = 4,
        num_heads: int = 8,
        patch_size: int = STORED_PATCH,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        require_coords(Galileo, coords)
        _check_architecture(embed_dim, num_heads, patch_size, num_frames)
        self.bands = bands
        self.groups = groups_of(bands)
        self.patch_size = patch_size
        self.size_multiple = 2 * patch_size
        self.num_features = (embed_dim,) * depth
        self.strides = (patch_size,) * depth
        self.num_frames = num_frames
        self.embed_dim, self.num_heads = embed_dim, num_heads

        quarter = embed_dim // 4
        frames = torch.arange(MAX_FRAMES, dtype=torch.float32)
        self.register_buffer("pos_embed", sincos_halved(frames, quarter))
        self.register_buffer("month_embed", _month_table(quarter))
        self.s_t_channel_embed = nn.Parameter(torch.zeros(len(GROUPS), quarter))
        self.space_time_embed = nn.ModuleDict(
            {group: _PatchEmbed(len(GROUPS[group]), embed_dim) for group in self.groups}
        )
        self.blocks = nn.ModuleList(
            _Block(embed_dim, num_heads, int(embed_dim * mlp_ratio)) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dim)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that `prepare` makes and `forward` takes."""
        return (*self.bands, "NDVI") if "NDVI" in self.groups else self.bands

    def linear_roles(self) -> dict[str, list[str]]:
        """Return the paths of the linear layers of all blocks by role."""
        layers = {"q": "attn.q", "k": "attn.k", "v": "attn.v", "proj": "attn.proj",
                  "fc1": "mlp.fc1", "fc2": "mlp.fc2"}  # fmt: skip
        return {
            role: [f"blocks.{index}.{layer}" for index in range(len(self.blocks or ()))]
            for role, layer in layers.items()
        }

    def token_grid(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return 1, rows, columns, and the tokens of a patch: its dates times its groups."""
        frames, rows, columns, _ = super().token_grid(image)
        return 1, rows, columns, frames * len(self.groups)

    def input_layer(self, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
        """Return the scaling of the pre-training, with NDVI where its bands are there."""
        red_and_infrared = None
        if "NDVI" in self.groups:
            red_and_infrared = self.bands.index("RED"), self.bands.index("NIR_BROAD")
        return GalileoInput(mean, std, red_and_infrared)

    def encode(
        self,
        dates: Dates | Sequence[Dates] | None = None,
        lonlat: LonLat | Sequence[LonLat] | None = None,
    ) -> tuple[Tensor | None, None]:
        """Return the months ``(B, T)``, 0 (January) to 11; no location, which images do without."""
        if dates is None:
            return None, None
        months = [[moment.month - 1 for moment in frames] for frames in parse_dates(dates)]
        return torch.tensor(months), None

    def embed(
        self,
        frames: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
    ) -> Tensor:
        """Return tokens ``(B, h*w*T*G, D)`` of G groups with their encodings.

        Args:
            frames: ``(B, C, T, H, W)`` as `prepare` makes it: `channels`.
            time: Months ``(B, T)`` as `encode` makes them.
            location: Not taken.
            gsd: Metres a pixel; without it Sentinel-2's 10.
            month: The same as time, also one number for all; without either 5 (June), as in the
                reference.
        """
        months = _months(time, month, frames)
        B, _, T = frames.shape[:3]
        pixels = frames.transpose(1, 2).flatten(0, 1)
        maps = torch.stack([
            embed(pixels[:, [self.channels.index(band) for band in GROUPS[group]]], self.patch_size)
            for group, embed in self.space_time_embed.items()
        ], dim=-1)  # fmt: skip
        tokens = maps.unflatten(0, (B, T)).permute(0, 3, 4, 1, 5, 2)  # (B, h, w, T, G, D)
        h, w = tokens.shape[1:3]
        metres = self.patch_size * gsd_tensor(gsd, BASE_GSD, frames) / BASE_GSD
        where = [list(GROUPS).index(group) for group in self.groups]
        parts = (
            self.s_t_channel_embed[where],
            self.pos_embed[:T, None],
            self.month_embed[months][:, None, None, :, None],
            _grid_table(self.embed_dim // 4, (h, w), metres)[:, :, :, None, None],
        )
        shape = (*tokens.shape[:-1], self.embed_dim // 4)
        return (tokens + torch.cat([part.expand(shape) for part in parts], dim=-1)).flatten(1, 4)

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return an encoder's tensors for these bands; its other inputs' are dropped."""
        unused = tuple(f"space_time_embed.{group}." for group in GROUPS if group not in self.groups)
        quarter = self.embed_dim // 4
        frames = torch.arange(MAX_FRAMES, dtype=torch.float32)
        fitted: State = {
            "pos_embed": sincos_halved(frames, quarter),
            "month_embed": _month_table(quarter),
        }
        for name, tensor in state.items():
            short = name.replace(".backbone", "")
            if short not in ("pos_embed", "month_embed.weight", "month_embed") and (
                not short.startswith((*_DROPPED, *unused))
            ):
                fitted[short] = tensor
        return fitted


@functools.cache
def _resizing(patch: int) -> Tensor:
    """Return ``(patch², 64)``: the pseudo-inverse of resizing a stored patch to another side.

    Source: FlexiViT, Beyer et al. 2023 (arXiv:2212.08013), section 3.4.
    """
    # Cached, so never an inference tensor, which autograd refuses.
    with torch.inference_mode(False), torch.no_grad():
        basis = torch.eye(STORED_PATCH**2, device="cpu").unflatten(1, (1, STORED_PATCH, -1))
        resized = F.interpolate(basis, size=(patch, patch), mode="bicubic", antialias=True)
        return torch.linalg.pinv(resized.flatten(1))


def _month_table(dim: int) -> Tensor:
    """Return ``(12, dim)``: all sines, then all cosines, of the month as an angle."""
    angles = (torch.arange(12) / (12 / (2 * torch.pi)))[:, None].expand(-1, dim // 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _grid_table(dim: int, grid: tuple[int, int], scale: Tensor) -> Tensor:
    """Return ``(1 or B, h, w, dim)``: half encodes the column, half the row, in units of 10 m."""
    rows, columns = (torch.arange(count, device=scale.device) * scale[:, None] for count in grid)
    x, y = (sincos_halved(axis.flatten(), dim // 2).unflatten(0, axis.shape)
            for axis in (columns, rows))  # fmt: skip
    shape = (len(scale), *grid, dim // 2)
    return torch.cat([x[:, None].expand(shape), y[:, :, None].expand(shape)], dim=-1)


def _months(time: Tensor | None, month: int | Tensor | None, frames: Tensor) -> Tensor:
    """Return the months ``(B, T)`` of ``(B, C, T, H, W)``."""
    if time is not None and month is not None:
        raise RecipeError("Galileo takes the month as time or as month, not both.")
    given = time if month is None else month
    months = torch.as_tensor(DEFAULT_MONTH if given is None else given, device=frames.device)
    shape = (len(frames), frames.shape[2])
    table = months[:, None] if months.ndim == 1 else months
    fits = table.ndim < 2 or all(a in (1, b) for a, b in zip(table.shape, shape, strict=False))
    whole = not table.is_floating_point() and bool(((table >= 0) & (table < 12)).all())
    if table.ndim > 2 or not fits or not whole:
        raise DataError(
            f"Months are whole numbers from 0 (January) to 11, one for all, (B,) or (B, T) = "
            f"{shape}; got {months.tolist() if months.numel() < 9 else tuple(months.shape)}."
        )
    return table.expand(shape).long()


def _check_architecture(dim: int, num_heads: int, patch: int, num_frames: int) -> None:
    if dim % 16 or dim % num_heads:
        raise RecipeError(
            f"embed_dim={dim} must be a multiple of 16 (quarters that are sines and cosines of two "
            f"axes) and of num_heads={num_heads}."
        )
    if not 1 <= patch <= STORED_PATCH:
        raise RecipeError(f"patch_size={patch}: Galileo was trained with 1 to {STORED_PATCH}.")
    if not 1 <= num_frames <= MAX_FRAMES:
        raise RecipeError(f"num_frames={num_frames}: Galileo takes 1 to {MAX_FRAMES} dates.")
