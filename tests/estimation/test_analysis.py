"""A fake step books what a real one books, and what follows from its books."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.estimation.conftest import problem
from workbench.estimation.analysis import Analysis, analyse, traced_step
from workbench.estimation.costs import Probed, memory
from workbench.estimation.probe import Reading
from workbench.models.decoders import DECODERS
from workbench.peft import METHODS, LoRA
from workbench.recipe import Recipe
from workbench.training.precision import Precision

CPU = torch.device("cpu")
PAIRS = [("lora", "unet"), ("full", "upernet"), ("vpt", "fcn"), ("linear_probe", "linear")]
ALL = [(kind, name) for kind in METHODS for name in DECODERS if (kind, name) not in PAIRS]
WAYS = [{}, {"accumulate": 2}, {"gradient_checkpointing": True}, {"precision": "bf16"},
        {"metadata": "both", "backbone": "prithvi_eo_v2_tiny_tl"},
        {"feature_cache": "off", "peft": "linear_probe"}]  # fmt: skip


def agrees(recipe: Recipe, precision: Precision = "fp32") -> bool:
    asked = problem(recipe)
    fake = analyse(asked, precision).peak
    real = traced_step(asked, asked.model(CPU), precision).peak()
    # The order in which autograd lets go of tensors is its own.
    return fake.parameters == real.parameters and fake.total == pytest.approx(real.total, rel=0.02)


@pytest.mark.parametrize(("kind", "decoder"), PAIRS)
def test_a_fake_step_books_what_a_real_one_books(kind: str, decoder: str) -> None:
    assert agrees(Recipe(peft=kind, decoder=decoder, batch_size=2))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "decoder"), ALL)
def test_a_fake_step_books_what_a_real_one_books_with_every_decoder(
    kind: str, decoder: str
) -> None:
    assert agrees(Recipe(peft=kind, decoder=decoder, batch_size=2))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_it_follows_every_way_to_train(way: dict) -> None:
    recipe = Recipe(**{"decoder": "linear", "batch_size": 2, **way})
    assert agrees(recipe, "bf16" if recipe.precision == "bf16" else "fp32")


@pytest.mark.parametrize("kind", ["lora", "full", "linear_probe"])
def test_parameters_and_optimiser_are_exact(kind: str) -> None:
    asked = problem(Recipe(peft=kind, decoder="linear", batch_size=1))
    model = asked.model(CPU)
    peak = analyse(asked, "fp32").peak
    tensors = [*model.parameters(), *model.buffers()]
    assert peak.parameters == sum(tensor.nbytes for tensor in tensors)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    # AdamW keeps two numbers for each that learns, and a count of steps for each tensor.
    assert peak.optimizer == sum(2 * weight.nbytes + 4 for weight in trained)
    # A gradient may be a view of a somewhat larger tensor.
    assert peak.gradients <= 1.01 * sum(weight.nbytes for weight in trained)


def test_activations_hold_all_that_autograd_saves() -> None:
    asked = problem(Recipe(peft="full", decoder="linear", batch_size=4), side=128)
    model = asked.model(CPU).train()
    tensors = (*model.parameters(), *model.buffers())
    own = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = asked.batch(model, 4, CPU)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(model(batch.image), batch.mask)
    kept = sum(size for place, size in saved.items() if place not in own)
    assert kept < analyse(asked, "fp32").peak.activations < 1.3 * kept
    del loss


def test_more_chips_need_more_and_accumulated_ones_do_not() -> None:
    def needs(**changes: int) -> int:
        return analyse(problem(Recipe(decoder="linear", **changes)), "fp32").peak.rise

    sizes = [needs(batch_size=size) for size in (1, 2, 4, 8)]
    assert sizes == sorted(set(sizes))
    assert needs(batch_size=4, accumulate=2) < sizes[3]


def test_what_saves_memory_saves_it_here() -> None:
    def needs(**changes: object) -> int:
        recipe = Recipe(**{"decoder": "linear", "precision": "fp32", **changes})
        assert recipe.precision in ("fp32", "bf16")
        return analyse(problem(recipe, side=64), recipe.precision).peak.total

    lora, narrow = needs(peft=LoRA()), needs(peft=LoRA(targets=("q", "v")))
    assert needs(peft="linear_probe") < narrow < lora < needs(peft="full")
    assert needs(gradient_checkpointing=True) < lora
    assert needs(precision="bf16") < lora
    # A hundred prompts beside sixteen patches.
    assert needs(peft="vpt") > needs(peft="full")


def test_the_work_of_a_step_is_thrice_that_of_its_forward_pass() -> None:
    told = analyse(problem(Recipe(peft="full", decoder="linear")), "fp32")
    forward = told.encoding.flops + told.decoding.flops
    assert told.step.flops == pytest.approx(3 * forward, rel=0.05)


def test_where_weights_outweigh_activations_few_chips_still_say_what_many_take() -> None:
    """The peak of few chips is the optimiser's step: what kernels take is no share of its rest."""
    def analysed(size: int) -> Analysis:
        return analyse(problem(Recipe(peft="full", decoder="linear", batch_size=size)), "fp32")

    few, many = analysed(1), analysed(256)
    assert few.peak.activations < few.peak.most_activations / 2
    assert many.peak.activations == many.peak.most_activations
    beside = few.peak.most_activations // 2
    share = Probed(Reading(1, 1.0, 1.0, 0.0, few.peak.rise + beside), few).workspace
    assert memory(few, share, 0, "measured").workspace == pytest.approx(beside, abs=1)
    assert memory(many, share, 0, "scaled").total < 2 * many.peak.total
