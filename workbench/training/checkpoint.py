"""The state of a training on disk: safetensors and JSON, no pickle."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from workbench.storage import NO_ROOM, read_json, write_json

_OPTIMIZER = "optimizer.safetensors"
_PROGRESS = "progress.json"


@dataclasses.dataclass
class Progress:
    """How far a training has come.

    Everything else follows: the learning rate and the patience from `val_losses`, order,
    augmentation and dropout from seed, epoch and step.

    Attributes:
        step: Optimiser steps done since the start.
        epoch: The epoch under way, from 0.
        val_losses: Validation loss of every epoch done.
        loss_sum: Summed loss of the epoch under way.
        pixels: Labelled pixels of the epoch under way.
        duration_s: Seconds spent so far.
        epoch_s: Seconds spent in the epoch under way.
        loss_scale: State of the gradients' scaler; empty but for fp16.
    """

    step: int = 0
    epoch: int = 0
    val_losses: list[float] = dataclasses.field(default_factory=list)
    loss_sum: float = 0.0
    pixels: int = 0
    duration_s: float = 0.0
    epoch_s: float = 0.0
    loss_scale: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def best_epoch(self) -> int:
        """Return the epoch with the lowest validation loss (the first of equals)."""
        return min(range(len(self.val_losses)), key=self.val_losses.__getitem__)


def save(folder: Path, progress: Progress, parameters: Mapping[str, nn.Parameter],
         optimizer: torch.optim.Optimizer) -> None:
    """Write progress and the optimiser's state of `parameters` (by name) into `folder`."""
    tensors = {
        f"{name}/{key}": value.contiguous()
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
    with full_disk_told():
        safetensors.torch.save_file(tensors, folder / _OPTIMIZER)
    write_json(folder / _PROGRESS, dataclasses.asdict(progress))


def load(folder: Path, parameters: Mapping[str, nn.Parameter],
         optimizer: torch.optim.Optimizer) -> Progress:
    """Read what `save` wrote and put the optimiser's state in its place."""
    state: dict[str, dict[str, Tensor]] = {name: {} for name in parameters}
    for entry, value in safetensors.torch.load_file(folder / _OPTIMIZER).items():
        name, key = entry.rsplit("/", 1)
        state[name][key] = value
    filled = optimizer.state_dict()
    # load_state_dict moves each tensor to its parameter's device and keeps its dtype right.
    filled["state"] = {place: state[name] for place, name in enumerate(parameters) if state[name]}
    optimizer.load_state_dict(filled)
    return Progress(**read_json(folder / _PROGRESS))


@contextlib.contextmanager
def full_disk_told() -> Iterator[None]:
    """Turn safetensors' way to say that there is no room into the system's."""
    try:
        yield
    except SafetensorError as error:
        for code in NO_ROOM:
            if f"os error {code}" in str(error):
                raise OSError(code, str(error)) from error
        raise
