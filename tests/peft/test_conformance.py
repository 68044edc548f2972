"""One battery for every registered method on every family of backbones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.peft.conftest import SMALL, build_small
from workbench.errors import RecipeError
from workbench.models.backbones import FAMILIES, Backbone
from workbench.models.decoders import DECODERS
from workbench.models.segmenter import Normalize, Segmenter
from workbench.peft import METHODS, fitting_methods

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))
LABEL = torch.randint(0, 3, (2, 32, 32), generator=torch.Generator().manual_seed(2))
PAIRS = [(kind, family) for kind in METHODS for family in FAMILIES]
FITTING = [(kind, family) for kind, family in PAIRS if kind in fitting_methods(build_small(family))]
ADDITIVE = [kind for kind in METHODS if METHODS[kind]().apply(build_small("prithvi")).additive]


@pytest.fixture(params=FITTING, ids=lambda pair: f"{pair[0]}-on-{pair[1]}")
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


def segmenter(backbone: Backbone, kind: str) -> Segmenter:
    torch.manual_seed(3)
    adapter = METHODS[kind]().apply(backbone)
    decoder = DECODERS["unet"](backbone.num_features, backbone.strides, 3, channels=(16, 8, 8, 8))
    model = Segmenter(Normalize([0.0] * 6, [1.0] * 6), backbone, decoder)
    model.adapter = adapter
    return model


def snapshot(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def features(backbone: Backbone) -> list[Tensor]:
    with torch.no_grad():
        return backbone.eval()(IMAGE)


def assert_identical(found: list[Tensor], expected: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def train(model: Segmenter, steps: int) -> dict[str, Tensor]:
    """Take steps of AdamW and return the gradients of the first."""
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(weights.values(), lr=1e-2)
    model.train()
    first: dict[str, Tensor] = {}
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(IMAGE), LABEL).backward()
        first = first or {name: p.grad.clone() for name, p in weights.items() if p.grad is not None}
        optimiser.step()
    return first


def test_every_family_has_a_small_size_to_test() -> None:
    assert set(SMALL) == set(FAMILIES)


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_a_method_fits_or_names_those_that_do(kind: str, family: str, small: Build) -> None:
    backbone = small(family)
    fitting = fitting_methods(backbone)
    assert fitting
    if kind in fitting:
        METHODS[kind]().apply(backbone)
        return
    before = snapshot(backbone)
    with pytest.raises(RecipeError, match=f"does not fit {family!r}.*Methods that fit: ") as error:
        METHODS[kind]().apply(backbone)
    assert all(repr(name) in str(error.value) for name in fitting)
    assert list(before) == list(backbone.state_dict())


def test_a_fresh_adapter_changes_no_feature_where_it_says_so(
    pair: tuple[str, str], small: Build
) -> None:
    kind, family = pair
    backbone = small(family)
    before = features(backbone)
    adapter = METHODS[kind]().apply(backbone)
    after = features(backbone)
    if adapter.identity_at_start:
        assert_identical(after, before)
        return
    shapes = [entry.shape for entry in after]
    assert shapes != [entry.shape for entry in before] or not all(map(torch.equal, after, before))


def test_only_and_all_of_adapter_and_decoder_train(pair: tuple[str, str], small: Build) -> None:
    kind, family = pair
    model = segmenter(small(family), kind)
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    before = snapshot(model)
    gradients = train(model, steps=5)
    assert set(gradients) == trainable
    declared = model.adapter.still_at_start
    for name, gradient in gradients.items():
        still = name.startswith("backbone.") and any(part in name for part in declared)
        assert bool(gradient.any()) != still, name
    after = model.state_dict()
    running = ("running_mean", "running_var", "num_batches_tracked")
    for name, tensor in after.items():
        if not (name.endswith(running) and (model.trains_backbone or "backbone." not in name)):
            assert torch.equal(tensor, before[name]) != (name in trainable), name


def test_the_adapter_names_exactly_what_trains(pair: tuple[str, str], small: Build) -> None:
    kind, family = pair
    model = segmenter(small(family), kind)
    named = {id(weight) for weight in model.adapter.trainable_parameters()}
    assert named == {id(weight) for weight in model.backbone.parameters() if weight.requires_grad}
    assert bool(named) == model.trains_backbone


def test_a_frozen_backbone_stays_in_evaluation_mode(pair: tuple[str, str], small: Build) -> None:
    kind, family = pair
    model = segmenter(small(family), kind).train()
    assert model.backbone.training == model.trains_backbone
    assert model.decoder.training
    logits = model(IMAGE)
    assert logits.requires_grad


def test_saved_and_loaded_it_gives_the_same_logits(
    pair: tuple[str, str], small: Build, tmp_path: Path
) -> None:
    kind, family = pair
    model = segmenter(small(family), kind)
    train(model, steps=3)
    model.adapter.save(tmp_path)
    again = segmenter(small(family), kind)
    again.decoder.load_state_dict(model.decoder.state_dict())
    again.adapter.load(tmp_path)
    with torch.no_grad():
        assert torch.equal(again.eval()(IMAGE), model.eval()(IMAGE))


def test_additive_ones_switch_off_and_leave_no_trace(pair: tuple[str, str], small: Build) -> None:
    kind, family = pair
    backbone = small(family)
    before, structure = snapshot(backbone), str(backbone)
    plain = features(backbone)
    model = segmenter(backbone, kind)
    if not model.adapter.additive:
        with pytest.raises(RecipeError, match="cannot be switched off or removed"):
            model.adapter.remove()
        return
    train(model, steps=3)
    trained = features(backbone)
    model.adapter.disable()
    assert_identical(features(backbone), plain)
    model.adapter.enable()
    assert_identical(features(backbone), trained)
    model.adapter.remove()
    assert_identical(features(backbone), plain)
    after = backbone.state_dict()
    assert str(backbone) == structure
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(weight.requires_grad for weight in backbone.parameters())


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in ADDITIVE for b in METHODS])
def test_after_another_was_removed_a_method_starts_as_on_a_fresh_backbone(
    first: str, second: str, small: Build
) -> None:
    backbone = small("prithvi")
    adapter = METHODS[first]().apply(backbone)
    adapter.remove()
    used, fresh = segmenter(backbone, second), segmenter(small("prithvi"), second)
    ours, theirs = used.state_dict(), fresh.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
