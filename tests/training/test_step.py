from __future__ import annotations

import pytest
import torch

from workbench.assembly import build_model
from workbench.errors import TrainingError
from workbench.peft import LastBlocks
from workbench.training.loader import Batch
from workbench.training.precision import resolve_precision
from workbench.training.step import Step

CPU = torch.device("cpu")
BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")


@pytest.fixture
def make(recipe):
    def step(precision="fp32", **changes) -> Step:
        changed = recipe.but(**{"peft": recipe.peft.but(dropout=0.0), **changes})
        model = build_model(changed, classes=3, bands=BANDS, image_size=32, mean=[0.1] * 6,
                            std=[0.1] * 6)
        return Step(changed, model.train(), CPU, precision)

    return step


def batch(chips: int, seed: int = 0, labelled: float = 1.0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, 3, (chips, 32, 32), generator=random)
    mask[torch.rand(mask.shape, generator=random) > labelled] = -1
    image = torch.rand(chips, 6, 32, 32, generator=random) / 5
    return Batch(image, mask, torch.zeros(chips, dtype=torch.int64), int((mask >= 0).sum()))


def parts(whole: Batch, size: int) -> list[Batch]:
    split = [entry.split(size) for entry in whole[:3]]
    return [Batch(*three, pixels=int((three[1] >= 0).sum())) for three in zip(*split, strict=True)]


def test_accumulated_batches_are_one_large_batch_however_labels_are_spread(make):
    whole = batch(8)
    whole.mask[:3] = -1
    whole.mask[5, 4:] = -1
    whole = whole._replace(pixels=int((whole.mask >= 0).sum()))
    step = make()
    expected = [step.take([whole], seed).wait() for seed in range(3)]
    for size in (4, 2):
        other = make()
        losses = [other.take(parts(whole, size), seed).wait() for seed in range(3)]
        assert losses == pytest.approx(expected, rel=1e-5)
        for name, weight in other.parameters.items():
            torch.testing.assert_close(weight, step.parameters[name], rtol=1e-3, atol=1e-5)


def test_a_part_without_labels_changes_nothing(make):
    labelled, empty = batch(2), batch(2, seed=1, labelled=0.0)
    one, other = make(), make()
    assert one.take([labelled], 0).wait() == other.take([labelled, empty], 0).wait()
    assert all(torch.equal(weight, other.parameters[name])
               for name, weight in one.parameters.items())  # fmt: skip


def test_the_step_tells_its_pixels_and_chips(make):
    done = make().take([batch(2, labelled=0.5), batch(3, seed=1)], 0)
    assert done.chips == 5
    assert done.pixels == batch(2, labelled=0.5).pixels + batch(3, seed=1).pixels


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_with_weights_and_loss_in_float32(make, precision):
    step, exact = make(precision), make()
    data = batch(4)
    losses = [step.take([data], 0) for _ in range(3)]
    assert {loss.value.dtype for loss in losses} == {torch.float32}
    assert {weight.dtype for weight in step.parameters.values()} == {torch.float32}
    assert losses[0].wait() == pytest.approx(exact.take([data], 0).wait(), rel=0.02)
    assert losses[-1].wait() < losses[0].wait()
    assert step.scaler.is_enabled() == (precision == "fp16")


def test_auto_is_the_reproducible_precision_on_a_cpu():
    assert resolve_precision("auto", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_frozen_blocks_before_the_first_that_learns_keep_no_activations(make):
    step = make(peft=LastBlocks(1), decoder="linear")
    under: list[int] = []
    kept: set[int] = set()
    blocks = step.model.backbone.blocks
    for place, block in enumerate(blocks):
        block.register_forward_pre_hook(lambda *_, place=place: under.append(place))

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.add(under[-1] if under else -1)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step.model(batch(1).image)
    assert kept == {len(blocks) - 1}


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(make):
    data = batch(2)
    compiled, plain = (make(decoder="linear", compile=chosen) for chosen in (True, False))
    for seed in range(2):
        losses = [step.take([data], seed).wait() for step in (compiled, plain)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
def test_a_compiler_that_fails_is_explained(make):
    from torch._inductor import config
    from torch._inductor.utils import fresh_cache

    torch.compiler.reset()  # what an earlier test compiled would be taken again
    step = make(decoder="linear", compile=True)
    with (
        fresh_cache(),
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(TrainingError, match=r"torch.compile failed: .*but\(compile=False\)"),
    ):
        step.take([batch(2)], 0)
