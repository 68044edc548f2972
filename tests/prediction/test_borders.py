from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.prediction.conftest import stored_scene, write_scene
from tests.prediction.test_scene import CLASSES, MODEL
from workbench.assembly import ModelDescription
from workbench.errors import DataError
from workbench.prediction import seams
from workbench.recipe import Recipe


class WindowMinded(torch.nn.Module):
    """Answers by the pixel and by the mean of its window, as a transformer in some measure does."""

    def __init__(self) -> None:
        super().__init__()
        self.description = ModelDescription(
            Recipe(), CLASSES, ("GREEN",), mean=(0.2,), std=(0.1,), scale=1e-4, image_size=32)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        image = image.nan_to_num()
        smooth = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
        logits = 3 * smooth + 40 * image.mean(dim=(2, 3), keepdim=True)
        return torch.cat([logits - 8.7, 8.7 - logits], dim=1)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene.tif", np.abs(stored_scene(150, 170)))


def test_a_model_whose_receptive_field_fits_the_overlap_has_none(scene: Path) -> None:
    found = seams(MODEL, scene, overlap=8)
    assert found.class_disagreement == 0
    assert found.mean_difference < 1e-6
    assert found.border_ratio == pytest.approx(1, abs=0.05)


def test_butted_windows_show_and_blended_ones_do_not(scene: Path) -> None:
    butted, smooth = (seams(WindowMinded(), scene, overlap=overlap) for overlap in (0, 16))
    assert butted.border_ratio > 1.5
    assert butted.border_ratio == butted.patch_ratio, "it has no patches"
    assert smooth.border_ratio < 1.1
    assert smooth.mean_difference > 0, "another origin, another answer: blending hides it only"
    assert "another origin changes the class of" in repr(smooth)


class Grained(torch.nn.Module):
    """Answers by the pixel's patch of eight and by nothing else of its window."""

    def __init__(self) -> None:
        super().__init__()
        self.description = WindowMinded().description
        self.backbone = torch.nn.Identity()
        self.backbone.patch_size = 8

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        coarse = torch.nn.functional.avg_pool2d(image.nan_to_num(), 8)
        logits = 40 * torch.nn.functional.interpolate(coarse, scale_factor=8) - 8
        return torch.cat([logits, -logits], dim=1)


def test_what_patches_leave_is_told_apart_from_what_windows_leave(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", np.abs(stored_scene(144, 168)))
    found = seams(Grained(), scene, window=64, overlap=32)
    assert found.border_ratio == pytest.approx(1, abs=0.15)
    assert found.patch_ratio > 5
    assert found.class_disagreement == 0, "its windows begin on whole patches"


def test_the_middle_of_a_scene_is_looked_at_and_must_hold_windows(scene: Path) -> None:
    assert seams(MODEL, scene, side=64, overlap=8).pixels <= 60 * 60
    with pytest.raises(DataError, match=r"not room for two windows"):
        seams(MODEL, scene, window=100, overlap=10)
    with pytest.raises(DataError, match="no pixel with a value"):
        seams(MODEL, write_scene(scene, np.full_like(stored_scene(80, 80), -9999)), overlap=8)
