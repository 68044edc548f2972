"""Faster float32 is still float32, and the setting of the process stays the user's."""

from __future__ import annotations

import pytest
import torch

from workbench.models import arithmetic
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


def test_of_blocks_that_overlap_the_last_one_gives_the_setting_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arithmetic, "_onednn_stays_exact", lambda: True)
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    one, other = quick_float32(), quick_float32()  # as of two threads
    with one:
        other.__enter__()
    assert settings.fp32_precision == "bf16", "the other one is still under way"
    other.__exit__(None, None, None)
    assert settings.fp32_precision == before
