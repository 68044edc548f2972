"""What tensors occupy while a step computes, operation by operation."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Peak(NamedTuple):
    """The moment at which tensors occupy most, in bytes.

    `parameters` counts buffers too; `activations` is all that is neither parameter, gradient nor
    the optimiser's: what the backward pass waits for, temporaries, the batch itself. Where weights
    outweigh them the peak is the optimiser's step, with hardly any left: `most_activations` is
    what they take at a moment of their own.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    most_activations: int

    @property
    def total(self) -> int:
        """Everything together."""
        return self.parameters + self.gradients + self.optimizer + self.activations

    @property
    def rise(self) -> int:
        """What comes on top of the loaded model."""
        return self.total - self.parameters


class Ledger(TorchDispatchMode):
    """Books every storage that an operation makes, from its making until it is let go.

    It sees the tensors alone: not what kernels use inside, nor what an allocator keeps. Works on
    real tensors and on fake ones, which take no memory, alike.

    Attributes:
        flops: Floating-point operations of matrix products, convolutions and attention.
        moved: Bytes that all operations read and wrote.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        self.flops = 0
        self.moved = 0
        self._bytes: list[int] = []  # of every storage, by its number
        self._log: list[int] = []  # n + 1: storage n was made, -(n + 1): it was let go
        self._living: dict[int, tuple[int, weakref.ref]] = {}
        self._parameters = {self._number(tensor) for tensor in parameters}
        self._gradients: set[int] = set()
        self._optimizer: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and book what it made."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        made = _tensors(out)
        for tensor in made:
            self._number(tensor)
        if not func.is_view:
            self.moved += sum(tensor.nbytes for tensor in (*_tensors(args), *made))
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **kwargs, out_val=out)
        return out

    def mark_gradient(self, parameter: Tensor) -> None:
        """Note that a parameter's gradient has just come."""
        assert parameter.grad is not None
        self._gradients.add(self._number(parameter.grad))

    def mark_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Note what an optimiser keeps from step to step."""
        kept = (value for state in optimizer.state.values() for value in state.values())
        self._optimizer.update(map(self._number, _tensors(list(kept))))

    def peak(self) -> Peak:
        """Return the largest moment of a step that finds its optimiser's state there already."""
        level = highest = computing = most = 0
        living: set[int] = set()
        at_peak: set[int] = set()
        for entry in self._log:
            number = abs(entry) - 1
            if number in self._parameters or number in self._optimizer:
                continue
            if entry > 0:
                living.add(number)
                change = self._bytes[number]
            else:
                living.remove(number)
                change = -self._bytes[number]
            level += change
            computing += 0 if number in self._gradients else change
            most = max(most, computing)
            if level > highest:
                highest, at_peak = level, living.copy()
        return Peak(
            self._sum(self._parameters), self._sum(at_peak & self._gradients),
            self._sum(self._optimizer), self._sum(at_peak - self._gradients), most,
        )  # fmt: skip

    def _sum(self, numbers: Iterable[int]) -> int:
        return sum(self._bytes[number] for number in numbers)

    def _number(self, tensor: Tensor) -> int:
        """Return the number of a tensor's storage, a new one for a storage not seen before."""
        storage = tensor.untyped_storage()
        place = storage._cdata
        if place in self._living:
            return self._living[place][0]
        number = len(self._bytes)
        self._bytes.append(storage.nbytes())
        self._log.append(number + 1)
        gone = functools.partial(self._let_go, place)
        self._living[place] = number, weakref.ref(storage, gone)
        return number

    def _let_go(self, place: int, _: weakref.ref) -> None:
        self._log.append(-self._living.pop(place)[0] - 1)


def _tensors(nested: Any) -> list[Tensor]:
    """Return the tensors of what an operation takes or gives."""
    if isinstance(nested, Tensor):
        return [nested]
    if isinstance(nested, (list, tuple)):
        return [tensor for entry in nested for tensor in _tensors(entry)]
    return []
