"""Where models run."""

from __future__ import annotations

import pytest
import torch

from workbench.assembly import select_device
from workbench.errors import RecipeError


def test_auto_takes_an_accelerator_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else (
        "mps" if torch.backends.mps.is_available() else "cpu"
    )  # fmt: skip
    assert select_device().type == expected


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "tpu"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(device: str) -> None:
    with pytest.raises(RecipeError, match=rf"device='{device}' is not available here.*cpu"):
        select_device(device)


def test_the_cpu_is_always_there() -> None:
    assert select_device("cpu") == torch.device("cpu")
