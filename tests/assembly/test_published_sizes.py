"""Trainable parameters of Prithvi-EO 1.0 100M, method by decoder: the reference's own counts.

Measured with TerraTorch 1.2.13 for two classes.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from workbench.models.backbones import BACKBONES, FAMILIES
from workbench.models.decoders import DECODERS
from workbench.peft import VPT, FullFineTuning, LinearProbe, LoRA, Method, ViTAdapter

CLASSES = 2
DECODER_OPTIONS: dict[str, dict[str, Any]] = {
    "unet": {"channels": (512, 256, 128, 64)},
    "upernet": {"channels": 256},
    "fcn": {"channels": 256, "num_convs": 4},
    "linear": {},
}
# The reference puts a 1x1 convolution between classes behind its linear decoder: K² + K
# parameters for a second linear layer, which adds nothing to the first. Ours leaves it out.
LEFT_OUT = {"linear": CLASSES**2 + CLASSES}
PUBLISHED: list[tuple[Method, dict[str, int]]] = [
    (FullFineTuning(), {
        "unet": 101_762_626, "upernet": 98_287_810, "fcn": 90_173_954, "linear": 86_630_408,
    }),
    (LinearProbe(), {
        "unet": 15_525_442, "upernet": 12_050_626, "fcn": 3_936_770, "linear": 393_224,
    }),
    (LoRA(), {
        "unet": 17_589_826, "upernet": 14_115_010, "fcn": 6_001_154, "linear": 2_457_608,
    }),
    (LoRA(targets=("q", "v")), {
        "unet": 16_115_266, "upernet": 12_640_450, "fcn": 4_526_594, "linear": 983_048,
    }),
    (VPT(), {
        "unet": 16_447_042, "upernet": 12_972_226, "fcn": 4_858_370, "linear": 1_314_824,
    }),
    (ViTAdapter(), {
        "unet": 26_304_162, "upernet": 21_526_818, "fcn": 15_823_138, "linear": 12_279_592,
    }),
]  # fmt: skip
CELLS = [(method, name, size) for method, row in PUBLISHED for name, size in row.items()]


@pytest.mark.parametrize(
    ("method", "decoder", "published"), CELLS, ids=[f"{m!r}-{name}" for m, name, _ in CELLS]
)
def test_trainable_parameters_are_the_published_ones(
    method: Method, decoder: str, published: int
) -> None:
    facts = BACKBONES["prithvi_eo_v1_100"]
    with torch.device("meta"):
        backbone = FAMILIES[facts.family](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        adapter = method.apply(backbone)
        net = DECODERS[decoder](
            backbone.num_features, backbone.strides, CLASSES, **DECODER_OPTIONS[decoder]
        )
    trained = [*adapter.trainable_parameters(), *net.parameters()]
    ours = sum(weight.numel() for weight in trained)
    assert ours == published - LEFT_OUT.get(decoder, 0)
