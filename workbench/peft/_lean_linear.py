"""Hugging Face peft's LoRA layer, trained with less memory and fewer passes over it."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from workbench.peft._graft import Handle


def note_gelus(backbone: nn.Module) -> list[Handle]:
    """Let the results of a backbone's GELUs tell what they come from."""
    gelus = [module for module in backbone.modules() if isinstance(module, nn.GELU)]
    return [gelu.register_forward_hook(_note) for gelu in gelus]


def _note(gelu: nn.GELU, args: tuple[Tensor], result: Tensor) -> None:
    if not torch.compiler.is_compiling():
        result.gelu_of = (gelu.approximate, args[0])  # type: ignore[attr-defined]


class LeanLinear(lora.Linear):
    """peft's layer, whose backward pass keeps nothing that it can compute again.

    Of the dropped input peft keeps a copy and its mask in float32; here it is the input, which
    layers on the same tokens share, and a mask of bytes. Of an input that comes from a GELU it is
    that of the GELU, which keeps it too. Under autocast its frozen weights are cast once, not at
    every step. Results agree to rounding; without gradients, and compiled, it is peft's own.
    """

    _cast: tuple[object, list[Tensor | None], object] = (None, [], None)

    def train(self, mode: bool = True) -> LeanLinear:
        """Train or evaluate; only training keeps weights in a second type."""
        if not mode:
            self._cast = (None, [], None)
        return super().train(mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return ``(..., outputs)`` from ``(..., inputs)``."""
        plain = not torch.is_grad_enabled() or torch.compiler.is_compiling()
        if plain or self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        (name,) = self.active_adapters
        base: Any = self.base_layer
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        share = getattr(self.lora_dropout[name], "p", 0.0) if self.training else 0.0
        kept = _draw(x, 1 - share) if share else None
        scale = self.scaling[name] / (1 - share)
        approximate, before = getattr(x, "gelu_of", (None, None))
        weight, bias = base.weight, base.bias
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, down, up = x.to(dtype), down.to(dtype), up.to(dtype)
            weight, bias = self._frozen(dtype)
        return _Updated.apply(x, weight, bias, down, up, kept, scale, before, approximate)

    def _frozen(self, dtype: torch.dtype) -> list[Tensor | None]:
        """Return the base layer's weight and bias in a type, cast anew only when they changed."""
        base: Any = self.base_layer
        both = (base.weight, base.bias)
        state = (dtype, *((id(entry), entry._version, entry.device)
                          for entry in both if entry is not None))  # fmt: skip
        if self._cast[0] != state:
            cast = [entry if entry is None else entry.detach().to(dtype) for entry in both]
            # With what it was cast from, so that no other tensor can have its identity.
            self._cast = (state, cast, both)
        return self._cast[1]


class _Updated(torch.autograd.Function):
    """A frozen linear layer and its low-rank update, the update added where the result lies."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor,
        kept: Tensor | None, scale: float, before: Tensor | None, approximate: str | None,
    ) -> Tensor:  # fmt: skip
        inner = functional.linear(_dropped(x, kept), down)
        result = functional.linear(x, weight, bias)
        result.flatten(0, -2).addmm_(inner.flatten(0, -2), up.T, alpha=scale)
        source = x if before is None else before
        ctx.save_for_backward(source, weight, down, up, kept, inner)
        ctx.scale, ctx.approximate = scale, approximate
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, down, up, kept, inner = ctx.saved_tensors
        if ctx.approximate is not None:
            x = functional.gelu(x, approximate=ctx.approximate).to(inner.dtype)
        into_x = gradient @ weight if ctx.needs_input_grad[0] else None
        gradient = gradient.flatten(0, -2)
        into_inner = ctx.scale * (gradient @ up)
        into_up = ctx.scale * (gradient.T @ inner.flatten(0, -2))
        into_down = into_inner.T @ _dropped(x, kept).flatten(0, -2)
        if into_x is not None:
            flat = into_x.flatten(0, -2)
            if kept is None:
                flat.addmm_(into_inner, down)
            else:
                flat += _dropped(into_inner @ down, kept.flatten(0, -2))
        return into_x, None, None, into_down, into_up, None, None, None, None


def _draw(like: Tensor, share: float) -> Tensor:
    """Return a mask, int8, that is 1 at a share of the places, to the 65536th part.

    Four places to a random number: torch's own draw of each takes a processor five times as long.
    """
    numbers = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
    places = numbers.random_(-(2**63), None).view(torch.int16)[: like.numel()]
    below = min(round(share * 2**16), 2**16 - 1) - 2**15
    return (places < below).view(torch.int8).view(like.shape)


def _dropped(x: Tensor, kept: Tensor | None) -> Tensor:
    # Processors convert int8 at once; a product with a mask of bool is ten times slower.
    return x if kept is None else x * kept.to(x.dtype)
