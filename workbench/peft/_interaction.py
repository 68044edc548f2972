"""The parts of the ViT-Adapter: a convolutional prior and exchange with it by attention.

Source: Chen et al. 2023, "Vision Transformer Adapter for Dense Predictions" (arXiv:2205.08534);
deformable attention: Zhu et al. 2021 (arXiv:2010.04159). Names of tensors are those of TerraTorch
1.2.13; its CUDA extension is replaced by `grid_sample`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int, int]


class DeformableAttention(nn.Module):
    """Every query looks at a few points around its place, on maps of several sizes."""

    def __init__(self, dim: int, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.heads = heads
        self.levels = levels
        self.points = points
        inner = dim // 2  # The reference's deform_ratio of 0.5.
        self.sampling_offsets = nn.Linear(dim, heads * levels * points * 2)
        self.attention_weights = nn.Linear(dim, heads * levels * points)
        self.value_proj = nn.Linear(dim, inner)
        self.output_proj = nn.Linear(inner, dim)
        self._initialise()

    def _initialise(self) -> None:
        """Let heads look in directions around the place, and points further and further."""
        for layer in (self.sampling_offsets, self.attention_weights):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for layer in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        ring = torch.stack([angles.cos(), angles.sin()], -1)
        ring = ring / ring.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, self.points + 1)
        bias = ring[:, None, None] * steps[:, None]
        bias = bias.expand(-1, self.levels, -1, -1)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(bias.flatten())

    def forward(self, query: Tensor, places: Tensor, maps: Tensor, shapes: list[Shape]) -> Tensor:
        """Return ``(B, Q, D)`` from queries ``(B, Q, D)`` at `places` ``(Q, 2)``, x first in 0..1.

        Args:
            query: What looks.
            places: Where each query is.
            maps: ``(B, sum of sizes, D)``, what is looked at, level after level.
            shapes: Height and width of each level.
        """
        batch, count = query.shape[:2]
        values = self.value_proj(maps).unflatten(-1, (self.heads, -1))
        offsets = self.sampling_offsets(query)
        offsets = offsets.view(batch, count, self.heads, self.levels, self.points, 2)
        weights = self.attention_weights(query).unflatten(-1, (self.heads, -1)).softmax(-1)
        weights = weights.view(batch, count, self.heads, self.levels, self.points)
        # Queries last, (B*heads, 1, levels, points, Q): sums over points then run along memory.
        scores = weights.permute(0, 2, 3, 4, 1).flatten(0, 1)[:, None]

        looked = query.new_zeros((batch * self.heads, values.shape[-1], count))
        sizes = [height * width for height, width in shapes]
        for level, part in enumerate(values.split(sizes, dim=1)):
            height, width = shapes[level]
            scale = offsets.new_tensor([width, height])
            where = 2 * (places[:, None, None] + offsets[:, :, :, level] / scale) - 1
            grid = where.permute(0, 2, 3, 1, 4).flatten(0, 1)
            picture = part.permute(0, 2, 3, 1).reshape(batch * self.heads, -1, height, width)
            # Full precision, whatever autocast says: offsets are fractions of a cell.
            seen = F.grid_sample(picture.float(), grid.float(), align_corners=False)
            looked = looked + (seen.to(query.dtype) * scores[:, :, level]).sum(2)
        looked = looked.unflatten(0, (batch, self.heads))
        return self.output_proj(looked.permute(0, 3, 1, 2).flatten(2))


class _Exchange(nn.Module):
    """Attention from normalised queries to normalised maps."""

    def __init__(self, dim: int, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(dim)
        self.feat_norm = nn.LayerNorm(dim)
        self.attn = DeformableAttention(dim, heads, levels, points)

    def look(self, query: Tensor, places: Tensor, maps: Tensor, shapes: list[Shape]) -> Tensor:
        """Return what the queries see."""
        return self.attn(self.query_norm(query), places, self.feat_norm(maps), shapes)


class Injector(_Exchange):
    """Tokens of the ViT look at the prior; at the start what they see counts for nothing."""

    def __init__(self, dim: int, heads: int, points: int) -> None:
        super().__init__(dim, heads, 3, points)
        self.gamma = nn.Parameter(torch.zeros(dim))

    def forward(self, query: Tensor, places: Tensor, maps: Tensor, shapes: list[Shape]) -> Tensor:
        """Return the tokens with what they saw."""
        return query + self.gamma * self.look(query, places, maps, shapes)


class Extractor(_Exchange):
    """The prior looks at the tokens of the ViT."""

    def __init__(self, dim: int, heads: int, points: int) -> None:
        super().__init__(dim, heads, 1, points)

    def forward(self, query: Tensor, places: Tensor, maps: Tensor, shapes: list[Shape]) -> Tensor:
        """Return the prior with what it saw."""
        return query + self.look(query, places, maps, shapes)


class Interaction(nn.Module):
    """What happens around the blocks of one stage."""

    def __init__(self, dim: int, heads: int, points: int, *, last: bool) -> None:
        super().__init__()
        self.injector = Injector(dim, heads, points)
        self.extractor = Extractor(dim, heads, points)
        extra = 2 if last else 0
        self.extra_extractors = nn.ModuleList(Extractor(dim, heads, points) for _ in range(extra))

    def extract(self, prior: Tensor, places: Tensor, tokens: Tensor, shape: Shape) -> Tensor:
        """Return the prior after all extractors."""
        for extractor in (self.extractor, *self.extra_extractors):
            prior = extractor(prior, places, tokens, [shape])
        return prior


class SpatialPrior(nn.Module):
    """Convolutions from the image to maps of 1/4, 1/8, 1/16 and 1/32 of its size."""

    def __init__(self, bands: int, channels: int, dim: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_conv(bands, channels, 2),
            *_conv(channels, channels, 1),
            *_conv(channels, channels, 1),
            nn.MaxPool2d(3, 2, 1),
        )
        self.conv2 = nn.Sequential(*_conv(channels, 2 * channels, 2))
        self.conv3 = nn.Sequential(*_conv(2 * channels, 4 * channels, 2))
        self.conv4 = nn.Sequential(*_conv(4 * channels, 4 * channels, 2))
        self.fc1 = nn.Conv2d(channels, dim, 1)
        self.fc2 = nn.Conv2d(2 * channels, dim, 1)
        self.fc3 = nn.Conv2d(4 * channels, dim, 1)
        self.fc4 = nn.Conv2d(4 * channels, dim, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return four maps of D channels, finest first."""
        # Laid out like tokens, which become maps and maps tokens without a copy.
        first = self.stem(image.contiguous(memory_format=torch.channels_last))
        second = self.conv2(first)
        third = self.conv3(second)
        fourth = self.conv4(third)
        return [self.fc1(first), self.fc2(second), self.fc3(third), self.fc4(fourth)]


def cell_centres(shapes: list[Shape], device: torch.device) -> Tensor:
    """Return the centres ``(sum of sizes, 2)`` of all cells, x first, as shares of the map."""
    return torch.cat([
        torch.stack(torch.meshgrid(
            (torch.arange(width, device=device) + 0.5) / width,
            (torch.arange(height, device=device) + 0.5) / height,
            indexing="xy",
        ), -1).flatten(0, 1)
        for height, width in shapes
    ])  # fmt: skip


def _conv(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
