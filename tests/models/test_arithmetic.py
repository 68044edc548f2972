"""Faster float32 is still float32, and the setting of the process stays the user's."""

from __future__ import annotations

import torch

from workbench.models.arithmetic import quick_float32


def test_products_keep_the_accuracy_of_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    with quick_float32():
        product = a @ b
    error = (product.double() - a.double() @ b.double()).abs().max()
    assert error < 1e-3  # bfloat16 inputs would give about 0.2.


def test_the_setting_is_given_back() -> None:
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    with quick_float32(), quick_float32():
        pass
    assert settings.fp32_precision == before
