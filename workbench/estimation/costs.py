"""Memory and seconds of training steps, put together from what was analysed and what was probed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from workbench.estimation.analysis import Analysis
from workbench.estimation.probe import Reading

# measured: in real steps of this very size; scaled: in smaller ones; analytical: in none.
Basis = Literal["measured", "scaled", "analytical"]

# What a CPU's allocator keeps beside tensors, as a share of activations, where no probe says it.
# `tests/benchmarks/estimate.py` shows shares of 0.2 (full fine-tuning) to 1 (LoRA).
CPU_WORKSPACE = 0.5


@dataclass(frozen=True)
class Memory:
    """What lies in a device's memory at a training's peak, in bytes.

    `activations` counts what the backward pass waits for and temporaries; `workspace` what kernels
    and the allocator take besides; `chips` the pixels that are kept on a CPU.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    workspace: int
    chips: int
    basis: Basis

    @property
    def parts(self) -> dict[str, int]:
        """The parts by name."""
        return {name: value for name, value in vars(self).items() if name != "basis"}

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts.values())

    @property
    def rise(self) -> int:
        """What training steps add to the loaded model, less the chips that are kept."""
        return self.total - self.parameters - self.chips

    @property
    def dominant(self) -> str:
        """The name of the largest part."""
        return max(self.parts, key=lambda name: self.parts[name])


class Pace(NamedTuple):
    """Seconds of a step, of a batch's forward pass, and of the part that a cache of features saves.

    Those of a step are of all batches in it.
    """

    step_s: float
    forward_s: float
    features_s: float
    basis: Basis


class Probed(NamedTuple):
    """A reading, and what had been analysed for its batch."""

    reading: Reading
    analysis: Analysis

    @property
    def workspace(self) -> float:
        """What was taken besides tensors, as a share of the most activations."""
        peak = self.analysis.peak
        return (self.reading.rise_bytes - peak.rise) / peak.most_activations


def memory(analysis: Analysis, share: float, chips: int, basis: Basis) -> Memory:
    """Return the memory of a training.

    Args:
        analysis: Of its step.
        share: Workspace as a share of the most activations; below 0 where tensors stay untouched.
        chips: Bytes of kept pixels.
        basis: Where `share` comes from.
    """
    peak = analysis.peak
    beside = round(share * peak.most_activations)
    return Memory(
        peak.parameters, peak.gradients, peak.optimizer, peak.activations + min(beside, 0),
        max(beside, 0), chips, basis,
    )  # fmt: skip
