"""What every registered loss keeps to; a new one is tested by registering."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from workbench.losses import LOSSES, CrossEntropy, Dice, Focal, Loss, as_loss

CLASSES = 3
WEIGHTS = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)
CASES = [*(kind() for kind in LOSSES.values()), Focal(gamma=0.5), Focal(gamma=0.0)]
every = pytest.mark.parametrize("options", CASES, ids=repr)


@pytest.fixture
def logits() -> Tensor:
    random = torch.Generator().manual_seed(0)
    return 2 * torch.randn(4, CLASSES, 5, 6, generator=random, dtype=torch.float64)


@pytest.fixture
def mask() -> Tensor:
    """Chip 1 has few labels, chip 2 none, chip 3 one class only."""
    mask = torch.randint(-1, CLASSES, (4, 5, 6), generator=torch.Generator().manual_seed(1))
    mask[1, 1:] = -1
    mask[2] = -1
    mask[3] = 1
    return mask


def naive(options: Loss, logits: Tensor, mask: Tensor, weights: list[float], smoothing: float,
          ) -> float:
    """Sum the loss in plain Python, pixel by pixel."""
    total = 0.0
    for chip, labels in zip(logits, mask, strict=True):
        pixels = [
            (chip[:, y, x].softmax(0).tolist(), int(label))
            for y, row in enumerate(labels) for x, label in enumerate(row) if label >= 0
        ]  # fmt: skip
        truths = [[(1 - smoothing) * (k == label) + smoothing / CLASSES for k in range(CLASSES)]
                  for _, label in pixels]  # fmt: skip
        if isinstance(options, Dice):
            total += naive_dice(pixels, truths, weights)
            continue
        gamma = options.gamma if isinstance(options, Focal) else 0.0
        total += sum(
            weights[k] * truth[k] * (1 - told[k]) ** gamma * -math.log(told[k])
            for (told, _), truth in zip(pixels, truths, strict=True) for k in range(CLASSES)
        )  # fmt: skip
    return total


def naive_dice(pixels: list, truths: list, weights: list[float]) -> float:
    lost = counted = 0.0
    for k in {label for _, label in pixels}:
        pairs = [(told[k], truth[k]) for (told, _), truth in zip(pixels, truths, strict=True)]
        both = 2 * sum(a * b for a, b in pairs) / sum(a + b for a, b in pairs)
        lost += weights[k] * (1 - both)
        counted += weights[k]
    return len(pixels) * lost / counted if pixels else 0.0


@every
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_equals_a_naive_reference(options, logits, mask, weights, smoothing):
    shares = [1.0] * CLASSES if weights is None else weights.tolist()
    expected = naive(options, logits, mask, shares, smoothing)
    assert float(options.total(logits, mask, weights, smoothing)) == pytest.approx(expected)


@every
def test_parts_of_a_batch_add_up_to_the_whole(options, logits, mask):
    parts = [options.total(logits[i : i + 1], mask[i : i + 1], WEIGHTS, 0.1) for i in range(4)]
    torch.testing.assert_close(sum(parts), options.total(logits, mask, WEIGHTS, 0.1))


@every
@pytest.mark.parametrize("wild", [1e30, -1e30])
def test_pixels_without_a_label_count_nothing_whatever_they_hold(options, logits, mask, wild):
    clean = options.total(logits, mask, WEIGHTS, 0.1)
    logits = logits.masked_fill((mask < 0)[:, None], wild).requires_grad_()
    total = options.total(logits, mask, WEIGHTS, 0.1)
    (gradient,) = torch.autograd.grad(total, logits)
    torch.testing.assert_close(total, clean)
    assert not gradient[(mask < 0)[:, None].expand_as(gradient)].any()
    assert gradient.isfinite().all()


@every
def test_without_any_label_loss_and_gradient_are_zero(options, logits):
    total = options.total(logits.requires_grad_(), torch.full((4, 5, 6), -1), WEIGHTS, 0.1)
    (gradient,) = torch.autograd.grad(total, logits)
    assert float(total.detach()) == 0
    assert not gradient.any()


@every
def test_its_gradient_is_its_derivative(options, logits, mask):
    small = logits[:2, :, :2, :3].clone().requires_grad_()
    labels = mask[:2, :2, :3]
    assert torch.autograd.gradcheck(lambda x: options.total(x, labels, WEIGHTS, 0.05), small)


@every
def test_certain_and_wrong_logits_keep_it_finite(options, mask):
    for sign in (1.0, -1.0):
        sure = torch.nn.functional.one_hot(mask.clamp(min=0), CLASSES).movedim(-1, 1).float()
        sure = (sign * 1e4 * sure).requires_grad_()
        total = options.total(sure, mask)
        (gradient,) = torch.autograd.grad(total, sure)
        assert total.isfinite()
        assert gradient.isfinite().all()


@every
def test_right_is_better_than_wrong(options, mask):
    right = torch.nn.functional.one_hot(mask.clamp(min=0), CLASSES).movedim(-1, 1).float()
    assert options.total(4 * right, mask) < options.total(-4 * right, mask)


@every
def test_it_survives_json_and_its_repr_is_python(options):
    assert as_loss(json.loads(json.dumps(options.to_json()))) == options
    assert eval(repr(options)) == options
    assert options.summary
    assert all(field.description for field in type(options).model_fields.values())


def test_cross_entropy_is_the_default_by_name():
    assert as_loss("cross_entropy") == CrossEntropy()
