"""One optimiser step: forward, loss, backward, update; it knows nothing of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.models.arithmetic import quick_float32
from workbench.models.recompute import recompute_sections
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.training.compiling import compiler_explained
from workbench.training.loader import Batch
from workbench.training.objective import Objective
from workbench.training.precision import Precision, autocast


class StepLoss(NamedTuple):
    """The loss of a step, perhaps still on its way from the device."""

    value: Tensor
    arrived: torch.cuda.Event | None
    pixels: int
    chips: int
    lr: float

    def wait(self) -> float:
        """Return the loss once it is there: the mean over all labelled pixels."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return float(self.value)


class Step:
    """What is needed to take one optimiser step after the other.

    Args:
        recipe: How to train.
        model: On its device already; put into training mode by the caller.
        device: Where the model is.
        precision: What the recipe's precision means there.
        objective: The loss with its weights of classes; by default the recipe's with none.

    Attributes:
        parameters: What is trained, by name.
        optimizer: AdamW over them.
        scaler: Keeps gradients of fp16 within its range; idle for other precisions.
    """

    def __init__(self, recipe: Recipe, model: Segmenter, device: torch.device,
                 precision: Precision = "fp32", objective: Objective | None = None) -> None:
        self.model = model
        self.device = device
        self.precision = precision
        if recipe.gradient_checkpointing and model.trains_backbone:
            recompute_sections(model.backbone)
        self._compiled = recipe.compile
        if self._compiled:
            # A frozen backbone's features come from elsewhere: from disk, or one chip at a time.
            (model if model.trains_backbone else model.decoder).compile()
        self.parameters = {
            name: parameter for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }  # fmt: skip
        # Fused, it goes over the weights once, three times as quick on a processor, and looks at
        # the scaler's verdict on the device: the host need not wait for it.
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=recipe.lr, weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.objective = objective or Objective.of(recipe, None, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @lr.setter
    def lr(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    @quick_float32()
    def take(self, batches: Sequence[Batch], seed: int) -> StepLoss:
        """Start one step over several batches; a GPU is still computing when this returns.

        Args:
            batches: Accumulated: the loss is the sum over the labelled pixels of all of them,
                divided by their number. At least one pixel has a label.
            seed: Of dropout.
        """
        torch.manual_seed(seed)
        pixels = sum(batch.pixels for batch in batches)
        value = torch.zeros((), device=self.device)
        for batch in batches:
            if batch.pixels:
                value += self._backward(batch, pixels)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        arrived = None
        if self.device.type == "cuda":
            # Fetched when the next step is on its way, so that the GPU never waits for Python.
            value, arrived = value.to("cpu", non_blocking=True), torch.cuda.Event()
            arrived.record()
        chips = sum(len(batch.mask) for batch in batches)
        return StepLoss(value, arrived, pixels, chips, self.lr)

    def _backward(self, batch: Batch, pixels: int) -> Tensor:
        with autocast(self.precision, self.device), compiler_explained(self._compiled):
            logits = batch.logits(self.model, self._moved)
        loss = self.objective.total(logits, self._moved(batch.mask)) / pixels
        self.scaler.scale(loss).backward()
        return loss.detach()

    def _moved(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)
