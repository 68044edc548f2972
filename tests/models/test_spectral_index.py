"""Water indices as models."""

from __future__ import annotations

import pytest
import torch

from workbench.errors import BandError
from workbench.models.spectral_index import IndexModel

BANDS = ("GREEN", "NIR_NARROW")


def pixels(*pairs: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(pairs).T.reshape(1, 2, 1, -1)


def test_the_index_is_the_normalised_difference() -> None:
    index = IndexModel(BANDS, 0.0).index(pixels((0.3, 0.1), (0.1, 0.3), (0.2, 0.2)))
    torch.testing.assert_close(index, torch.tensor([[[0.5, -0.5, 0.0]]]))


@pytest.mark.parametrize("water", [0, 1])
def test_water_is_above_the_threshold(water: int) -> None:
    logits = IndexModel(BANDS, 0.2, water=water)(pixels((0.3, 0.1), (0.22, 0.2), (0.1, 0.3)))
    assert logits.shape == (1, 2, 1, 3)
    assert logits.dtype == torch.float32
    assert (logits.argmax(1) == water).flatten().tolist() == [True, False, False]


def test_pixels_without_an_index_are_undecided() -> None:
    logits = IndexModel(BANDS, 0.1)(pixels((0.0, 0.0), (float("nan"), 0.1)))
    assert torch.equal(logits, torch.zeros(1, 2, 1, 2))


def test_the_threshold_is_saved_with_the_model() -> None:
    other = IndexModel(BANDS, 0.0)
    other.load_state_dict(IndexModel(BANDS, 0.37).state_dict())
    assert other.threshold.item() == pytest.approx(0.37)


def test_other_images_than_its_two_bands_are_refused() -> None:
    with pytest.raises(BandError, match=r"bands GREEN, NIR_NARROW; got \(1, 6, 4, 4\)"):
        IndexModel(BANDS, 0.0)(torch.rand(1, 6, 4, 4))
