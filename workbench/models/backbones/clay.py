"""Clay v1: one vision transformer for any set of bands, which it is told the wavelengths of.

Names of tensors and numbers are those of the published checkpoint. Source: Clay-foundation/model,
src/model.py, src/factory.py and configs/metadata.yaml (v1); its dynamic patch embedding is after
DOFA, Xiong et al. 2024 (arXiv:2403.15356).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.data.bands import BANDS
from workbench.errors import BandError, DataError, RecipeError, WeightsError
from workbench.models.attention import attend
from workbench.models.backbones import FAMILIES, Facts, Source, publish
from workbench.models.backbones._plain import PlainViT, gsd_tensor, require_coords
from workbench.models.metadata import Dates, LonLat, parse_dates, parse_lonlat
from workbench.models.positions import sincos_2d, sincos_closed
from workbench.models.weights import State

# Nanometres and statistics (there in reflectance x 10 000) that the weights were trained with:
# configs/metadata.yaml, sentinel-2-l2a; wavelengths of VV and VH: sentinel-1-rtc. Other bands go
# by their centre wavelength in `workbench.data.bands`.
TRAINED_NM = {
    "BLUE": 493, "GREEN": 560, "RED": 665, "RED_EDGE_1": 704, "RED_EDGE_2": 740, "RED_EDGE_3": 783,
    "NIR_BROAD": 842, "NIR_NARROW": 865, "SWIR_1": 1610, "SWIR_2": 2190, "VV": 3500, "VH": 4000,
}  # fmt: skip
STATISTICS = {
    "BLUE": (0.1105, 0.1809), "GREEN": (0.1355, 0.1757), "RED": (0.1552, 0.1888),
    "RED_EDGE_1": (0.1887, 0.1870), "RED_EDGE_2": (0.2422, 0.1732), "RED_EDGE_3": (0.2630, 0.1697),
    "NIR_BROAD": (0.2743, 0.1742), "NIR_NARROW": (0.2785, 0.1648),
    "SWIR_1": (0.2388, 0.1470), "SWIR_2": (0.1835, 0.1379),
}  # fmt: skip
WAVE_DIM = 128
# The encoder stands beside what only the pre-training needed.
_PREFIXES = ("model.encoder.", "clay_encoder.")
_DROPPED = ("model.decoder.", "model.teacher.", "model.proj.")


class _WavesTransformer(nn.Module):
    """Encoded wavelengths ``(C, 128)`` to the weights of a convolution: C kernels and a bias."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.weight_tokens = nn.Parameter(torch.randn(WAVE_DIM, WAVE_DIM) * 0.02)
        self.bias_token = nn.Parameter(torch.randn(1, WAVE_DIM) * 0.02)
        layer = nn.TransformerEncoderLayer(
            WAVE_DIM, nhead=4, dim_feedforward=2048, dropout=0, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        self.fc_weight = nn.Linear(WAVE_DIM, patch * patch * dim)
        self.fc_bias = nn.Linear(WAVE_DIM, dim)

    def forward(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self.encoder(torch.cat([self.weight_tokens, waves, self.bias_token])[None])[0]
        first = len(self.weight_tokens)
        return self.fc_weight(encoded[first:-1] + waves), self.fc_bias(encoded[-1])


class _Residual(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.l1 = nn.Linear(dim, dim)
        self.l2 = nn.Linear(dim, dim)

    def forward(self, waves: Tensor) -> Tensor:
        return waves + F.gelu(self.l2(F.gelu(self.l1(waves))))


class _DynamicEmbedding(nn.Module):
    """Patches to tokens ``(B, N, D)`` by a convolution made from the wavelengths."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.kernel = (dim, patch, patch)
        self.weight_generator = _WavesTransformer(dim, patch)
        self.fclayer = _Residual(WAVE_DIM)

    def forward(self, image: Tensor, waves_um: Tensor) -> Tensor:
        weight, bias = self.weight_generator(self.fclayer(sincos_closed(waves_um, WAVE_DIM)))
        kernels = weight.unflatten(1, self.kernel).transpose(0, 1)
        # 0.02 is the reference's: generated weights start as small as learned ones.
        maps = F.conv2d(image, kernels * 0.02, bias, stride=self.kernel[-1])
        return maps.flatten(2).transpose(1, 2)


class _Attention(nn.Module):
    def __init__(self, dim: int, num_heads: int, dim_head: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * num_heads * dim_head, bias=False)
        self.to_out = nn.Linear(num_heads * dim_head, dim, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.to_qkv(self.norm(tokens)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                             for part in parts)  # fmt: skip
        mixed = attend(query, key, value)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.net(tokens)


class _Block(nn.ModuleList):
    """Attention, then feed-forward: a list, so that tensors have the checkpoint's names."""

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self:
            tokens = tokens + layer(tokens)
        return tokens


class _Transformer(nn.Module):
    def __init__(self, dim: int, blocks: Sequence[_Block]) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(blocks)


@FAMILIES.register("clay")
class Clay(PlainViT):
    """Plain ViT whose patch embedding follows from the wavelengths of the bands."""

    encodings = ("time", "location")
    extras = ("gsd",)
    default_bands = ("BLUE", "GREEN", "RED", "NIR_BROAD", "SWIR_1", "SWIR_2")
    statistics = STATISTICS

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (256, 256),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        dim_head: int = 64,
        patch_size: int = 8,
        mlp_ratio: float = 4.0,
        wavelengths_nm: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        require_coords(Clay, coords)
        if num_frames != 1:
            raise RecipeError(f"Clay takes one frame; num_frames={num_frames}.")
        if embed_dim % 4 or embed_dim < 16:
            raise RecipeError(f"embed_dim={embed_dim} must be a multiple of 4, from 16 on.")
        self.bands = bands
        self.wavelengths_nm = _wavelengths(bands, wavelengths_nm)
        self.patch_size = patch_size
        self.size_multiple = 2 * patch_size
        self.num_features = (embed_dim,) * depth
        self.strides = (patch_size,) * depth
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.num_prefix_tokens = 1

        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim) * 0.02)
        self.patch_embedding = _DynamicEmbedding(embed_dim, patch_size)
        hidden = int(embed_dim * mlp_ratio)
        self.transformer = _Transformer(embed_dim, [
            _Block([_Attention(embed_dim, num_heads, dim_head), _FeedForward(embed_dim, hidden)])
            for _ in range(depth)
        ])  # fmt: skip
        for module in self.patch_embedding.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    @property
    def blocks(self) -> nn.ModuleList:  # type: ignore[override]
        """The transformer blocks, under the checkpoint's name."""
        return self.transformer.layers

    @property
    def norm(self) -> nn.Module:  # type: ignore[override]
        """What stands behind the last block, under the checkpoint's name."""
        return self.transformer.norm

    def linear_roles(self) -> dict[str, list[str]]:
        """Return the paths of the linear layers of all blocks by role."""
        layers = {"qkv": "0.to_qkv", "proj": "0.to_out", "fc1": "1.net.1", "fc2": "1.net.3"}
        return {
            role: [f"transformer.layers.{index}.{layer}" for index in range(len(self.blocks))]
            for role, layer in layers.items()
        }

    def encode(
        self,
        dates: Dates | Sequence[Dates] | None = None,
        lonlat: LonLat | Sequence[LonLat] | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return ``(B, 4)`` each: sine and cosine of week and hour, of latitude and longitude.

        A date without a time of day counts as midnight. Source: Clay-foundation/model,
        normalize_timestamp and normalize_latlon.
        """
        time = location = None
        if dates is not None:
            moments = [frames[0] for frames in parse_dates(dates)]
            time = torch.tensor([
                _circle(moment.isocalendar().week / 52) + _circle(moment.hour / 24)
                for moment in moments
            ])  # fmt: skip
        if lonlat is not None:
            location = torch.tensor([
                _circle(latitude / 360) + _circle(longitude / 360)
                for longitude, latitude in parse_lonlat(lonlat)
            ])  # fmt: skip
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
        """Return patch tokens ``(B, h*w, D)`` with positions and metadata.

        Args:
            frames: ``(B, C, 1, H, W)``, normalised; any multiples of the patch.
            time: ``(B, 4)`` as `encode` makes it; zeros without, as in pre-training.
            location: ``(B, 4)``, likewise.
            gsd: Metres a pixel, which positions are scaled by; without it 1, as in TerraTorch.
            month: Not taken.
        """
        image = _only_frame(frames)
        waves_um = torch.tensor(self.wavelengths_nm, device=image.device) / 1000
        tokens = self.patch_embedding(image, waves_um)
        told = torch.cat([_four(time, "time", image), _four(location, "location", image)], dim=1)
        metadata = told[:, None].expand(-1, tokens.shape[1], -1)
        _, rows, columns, _ = self.token_grid(image)
        positions = sincos_2d(self.embed_dim - 8, (rows, columns), gsd_tensor(gsd, 1.0, image))
        return tokens + torch.cat([positions.expand(len(image), -1, -1), metadata], dim=-1)

    def fit_state(self, state: State, bands: tuple[str, ...], origin: str) -> State:
        """Return the encoder of a checkpoint; the autoencoder's decoder and teacher are dropped."""
        fitted: State = {}
        for name, tensor in state.items():
            if not name.startswith(_DROPPED):
                prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
                fitted[name.removeprefix(prefix)] = tensor
        if not fitted:
            raise WeightsError(f"{origin} holds no encoder of Clay, only what pre-training needed.")
        return fitted


def _wavelengths(bands: tuple[str, ...], given: Sequence[float] | None) -> tuple[float, ...]:
    if given is not None:
        if len(given) != len(bands):
            raise RecipeError(f"wavelengths_nm has {len(given)} entries for {len(bands)} bands.")
        return tuple(map(float, given))
    known = {band: TRAINED_NM.get(band) or BANDS[band].wavelength_nm for band in bands}
    if missing := [band for band, nm in known.items() if nm is None]:
        raise BandError(
            f"Clay goes by wavelengths; {', '.join(missing)} has none that is known. Leave it out, "
            "or pass wavelengths_nm=, one for each band."
        )
    return tuple(float(nm) for nm in known.values() if nm is not None)


def _only_frame(image: Tensor) -> Tensor:
    if image.shape[2] != 1:
        raise DataError(f"Clay takes one frame; the image has {image.shape[2]}.")
    return image[:, :, 0]


def _four(entry: Tensor | None, name: str, image: Tensor) -> Tensor:
    if entry is None:
        return torch.zeros(len(image), 4, device=image.device)
    if entry.shape != (len(image), 4):
        raise DataError(
            f"{name} has the shape {tuple(entry.shape)}; Clay takes ({len(image)}, 4), as "
            "backbone.encode(dates, lonlat) returns it."
        )
    return entry.to(image.device, torch.float32)


def _circle(turns: float) -> tuple[float, float]:
    return math.sin(2 * math.pi * turns), math.cos(2 * math.pi * turns)


publish(
    Facts(
        name="clay_v1",
        family="clay",
        bands=Clay.default_bands,
        image_size=256,
        coords=("time", "location"),
        architecture={"embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 8},
        # The decoders of the PEFT paper (IBM/peft-geofm, configs/decoders).
        decoders={
            "unet": {"channels": (512, 256, 128, 64)},
            "upernet": {"channels": 256},
            "fcn": {"channels": 512, "num_convs": 4},
        },
        source=Source("made-with-clay/Clay-legacy", "v1/clay-v1-base.ckpt"),
        about="pre-trained on Sentinel-1 and -2, Landsat, NAIP and LINZ; takes any optical bands",
    )
)
