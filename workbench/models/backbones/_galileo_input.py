"""What Galileo takes: which bands make up its groups, and how they are scaled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.errors import BandError
from workbench.models.layers import Normalize

# Groups of bands that share a token, in the order of the checkpoints.
GROUPS = {
    "S1": ("VV", "VH"),
    "S2_RGB": ("BLUE", "GREEN", "RED"),
    "S2_Red_Edge": ("RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3"),
    "S2_NIR_10m": ("NIR_BROAD",),
    "S2_NIR_20m": ("NIR_NARROW",),
    "S2_SWIR": ("SWIR_1", "SWIR_2"),
    "NDVI": ("NDVI",),
}
# config/normalization.json, "13"; there Sentinel-2 in reflectance x 10 000, Sentinel-1 in decibel.
STATISTICS = {
    "VV": (-11.728724389184965, 4.887145774840316),
    "VH": (-18.85558188024017, 5.730270320384293),
    "BLUE": (0.13953408730676722, 0.09177041440370853),
    "GREEN": (0.13384026921784578, 0.09132988423581528),
    "RED": (0.134309883810357, 0.1092678723527555),
    "RED_EDGE_1": (0.15438607982512297, 0.10472206083460424),
    "RED_EDGE_2": (0.21862022069512263, 0.10480101111656767),
    "RED_EDGE_3": (0.25250932853316694, 0.11436903026819996),
    "NIR_BROAD": (0.24103377187373408, 0.1098979177731649),
    "NIR_NARROW": (0.27502854646886753, 0.1204472755085893),
    "SWIR_1": (0.2234911100061487, 0.11459774063078878),
    "SWIR_2": (0.14745311266077113, 0.09802429840007796),
}
NDVI_STATISTICS = (0.2892116502999044, 0.2720939024500081)
SENTINEL_2 = tuple(band for band in STATISTICS if band not in GROUPS["S1"])


class GalileoInput(Normalize):
    """Bands scaled so that two standard deviations below and above the mean become 0 and 1.

    NDVI follows as one more channel where red and the broad near infrared are there. Pixels that
    are not valid count as the mean of their band.
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], ndvi: tuple[int, int] | None
    ) -> None:
        super().__init__(mean, std)
        self.ndvi = ndvi

    def forward(self, image: Tensor) -> Tensor:
        """Return ``(B, C or C + 1, ..., H, W)`` for physical units."""
        shape = (-1,) + (1,) * (image.ndim - 2)
        mean, std = self.mean.view(shape), self.std.view(shape)
        image = torch.where(image.isfinite(), image, mean)
        scaled = _within_two_deviations(image, mean, std)
        if self.ndvi is None:
            return scaled
        red, infrared = image[:, self.ndvi[0]], image[:, self.ndvi[1]]
        total = red + infrared
        lit = total > 0
        ndvi = torch.where(lit, (infrared - red) / torch.where(lit, total, 1.0), 0.0)
        return torch.cat([scaled, _within_two_deviations(ndvi, *NDVI_STATISTICS)[:, None]], dim=1)


def groups_of(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Return the groups that bands make up; a group is there as a whole or not at all."""
    known = [band for group in GROUPS.values() for band in group]
    problems = [f"knows no {band}" for band in bands if band not in known]
    there = {*bands, *(("NDVI",) if {"RED", "NIR_BROAD"} <= set(bands) else ())}
    for group, members in GROUPS.items():
        missing = [band for band in members if band not in there]
        if missing and len(missing) < len(members):
            problems.append(f"takes {', '.join(members)} together ({group}), not without "
                            f"{', '.join(missing)}")  # fmt: skip
    groups = tuple(group for group, members in GROUPS.items() if set(members) <= there)
    if problems or not groups:
        raise BandError(
            f"Galileo {'; '.join(problems) or 'needs bands'}. It takes any of these groups: "
            f"{'; '.join(' '.join(GROUPS[group]) for group in list(GROUPS)[:-1])}. Choose with "
            "bands=[…]."
        )
    return groups


def _within_two_deviations(values: Tensor, mean: Tensor | float, std: Tensor | float) -> Tensor:
    return (values - (mean - 2 * std)) / (4 * std)
