"""Every family is called in one way, and says what it does not take."""

from __future__ import annotations

import inspect

import pytest
import torch

from tests.peft.conftest import build_small
from workbench.errors import RecipeError
from workbench.models import load_backbone
from workbench.models.backbones import FAMILIES, Backbone

TAKEN = {"gsd": 10.0, "month": 3}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_contracts_call(family: str) -> None:
    expected = inspect.signature(Backbone.forward).parameters
    found = inspect.signature(FAMILIES[family].forward).parameters
    assert {name: (entry.kind, entry.default) for name, entry in found.items()} == {
        name: (entry.kind, entry.default) for name, entry in expected.items()
    }


@pytest.mark.parametrize("extra", TAKEN)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_takes_metadata_or_names_what_it_takes(family: str, extra: str) -> None:
    backbone = build_small(family).eval()
    image = torch.randn(1, len(backbone.bands), 32, 32)
    if extra in backbone.extras:
        with torch.no_grad():
            assert backbone(backbone.prepare(image), **{extra: TAKEN[extra]})
        return
    with pytest.raises(RecipeError, match=f"{family} takes no {extra}; beside the image it takes "):
        backbone(image, **{extra: TAKEN[extra]})


def test_physical_units_become_what_the_weights_were_trained_with() -> None:
    model = load_backbone("prithvi_eo_v2_tiny_tl", weights="random")
    assert model.mean is not None
    assert model.std is not None
    mean, std = (torch.tensor(entries).view(1, 6, 1, 1) for entries in (model.mean, model.std))
    for frames in (mean + std, (mean + std)[:, :, None]):
        torch.testing.assert_close(model.prepare(frames), torch.ones_like(frames))
    assert not model.prepare(torch.full((1, 6, 2, 2), torch.nan)).any()


def test_an_untrained_network_takes_the_image_as_it_is_and_trained_weights_say_what_they_lack() -> (
    None
):
    model = build_small("prithvi")
    image = torch.randn(1, 6, 8, 8)
    torch.testing.assert_close(model.prepare(image), image)
    model.pretrained = True
    with pytest.raises(RecipeError, match="'prithvi' has no statistics for the bands BLUE, "):
        model.prepare(image)
