"""What a step needs, from its operations alone: one fake step, in no memory and no time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from workbench.estimation.ledger import Ledger, Peak
from workbench.estimation.problem import Problem, features, furnished
from workbench.models.segmenter import Segmenter
from workbench.training.precision import Precision, autocast
from workbench.training.step import Step

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Work:
    """Floating-point operations and bytes moved."""

    flops: float
    moved: float

    def times(self, factor: float) -> Work:
        """Return it that many times."""
        return Work(self.flops * factor, self.moved * factor)


@dataclass(frozen=True)
class Analysis:
    """The tensors of one step at their peak, and the work it is.

    Attributes:
        peak: Exact for the tensors of PyTorch; what kernels and allocators add is not in it.
        step: Work of a whole step.
        encoding: Work of the backbone's forward pass over one of its batches.
        decoding: Likewise of the decoder's.
        feature_bytes: Size of the feature maps of one chip, float32.
    """

    peak: Peak
    step: Work
    encoding: Work
    decoding: Work
    feature_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "peak": list(self.peak)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Analysis:
        """Return the analysis that `to_json` wrote."""
        work = {name: Work(**data[name]) for name in ("step", "encoding", "decoding")}
        return Analysis(Peak(*data["peak"]), **work, feature_bytes=data["feature_bytes"])


def analyse(problem: Problem, precision: Precision) -> Analysis:
    """Follow one training step through the training's own code, with tensors without memory.

    The operations are those of a CPU; a GPU's differ in kernels, hardly in what they keep.

    Args:
        problem: The recipe and the data's sizes.
        precision: What the recipe's precision is on the device.
    """
    # fp16 has the sizes of bf16, and no scaler that would ask a fake tensor for its value.
    step_precision: Precision = "fp32" if precision == "fp32" else "bf16"
    skeleton = problem.skeleton()
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = furnished(skeleton, _CPU)
        ledger = traced_step(problem, model, step_precision)
        chip = problem.batch(model.eval(), 1, _CPU)
        with torch.no_grad(), autocast(step_precision, _CPU):
            with Ledger([]) as encoding:
                maps = features(model, chip, _CPU)
            with Ledger([]) as decoding:
                model.decode(maps, problem.chip_shape)
    chips = problem.recipe.chips_at_once
    return Analysis(
        ledger.peak(), _work(ledger).times(problem.recipe.accumulate / _traced(problem)),
        _work(encoding).times(chips), _work(decoding).times(chips),
        sum(entry.numel() for entry in maps) * 4,
    )  # fmt: skip


def traced_step(problem: Problem, model: Segmenter, precision: Precision) -> Ledger:
    """Take one step on a CPU, real or fake, with every storage booked."""
    step = Step(problem.recipe, model.train(), _CPU, precision)
    ledger = Ledger([*model.parameters(), *model.buffers()])
    hooks = [parameter.register_post_accumulate_grad_hook(ledger.mark_gradient)
             for parameter in step.parameters.values()]
    with ledger:
        batch = problem.batch(model, problem.recipe.chips_at_once, _CPU)
        step.take([batch] * _traced(problem), seed=0)
    for hook in hooks:
        hook.remove()
    ledger.mark_optimizer(step.optimizer)
    return ledger


def _traced(problem: Problem) -> int:
    """Return how many batches of a step are followed: the third is as the second."""
    return min(problem.recipe.accumulate, 2)


def _work(ledger: Ledger) -> Work:
    return Work(ledger.flops, ledger.moved)
