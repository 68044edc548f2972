"""The leaner LoRA layer: peft's numbers and gradients, with less kept for the backward pass."""

from __future__ import annotations

import contextlib
from typing import Any

import peft
import pytest
import torch
from peft.tuners import lora
from torch import Tensor, nn

from workbench.peft._lean_linear import LeanLinear, note_gelus


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(24, 96), nn.GELU(), nn.Linear(96, 24)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


def adapted(*, lean: bool, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, lora_alpha=6, lora_dropout=dropout, target_modules=["fc1", "fc2"])
    if lean:
        config._register_custom_module({nn.Linear: LeanLinear})
    model = peft.PeftModel(Mlp(), config).train()
    if lean:
        note_gelus(model)
    kinds = {type(module) for module in model.modules() if isinstance(module, lora.Linear)}
    assert kinds == {LeanLinear if lean else lora.Linear}
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.3, generator=torch.Generator().manual_seed(5))
    return model


def trained(model: nn.Module, bf16: bool = False) -> tuple[Tensor, dict[str, Tensor], int]:
    """Return output and gradients of a step, and the bytes kept between forward and backward."""
    own = {weight.data_ptr() for weight in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor
        return tensor

    x = torch.randn(2, 7, 24, generator=torch.Generator().manual_seed(1)).requires_grad_()
    watching = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext()
    with watching, precision:
        output = model(x)
    output.float().square().sum().backward()
    trainable = ((name, w) for name, w in model.named_parameters() if w.requires_grad)
    found: dict[str, Any] = {"x": x.grad, **{name: weight.grad for name, weight in trainable}}
    return output.detach(), found, sum(tensor.nbytes for tensor in kept.values())


@pytest.mark.parametrize("bf16", [False, True])
def test_output_and_gradients_are_pefts(bf16: bool) -> None:
    ours, our_gradients, our_bytes = trained(adapted(lean=True), bf16)
    theirs, gradients, their_bytes = trained(adapted(lean=False), bf16)
    close = {"rtol": 0.05, "atol": 0.3} if bf16 else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(ours, theirs, **close)
    torch.testing.assert_close(our_gradients, gradients, **close)
    assert our_bytes < their_bytes


def test_weights_in_a_second_type_follow_the_first_and_go_when_training_is_over() -> None:
    model = adapted(lean=True)
    layer = model.base_model.model.fc1
    image = torch.ones(1, 24)
    with torch.autocast("cpu", torch.bfloat16):
        before = layer(image)
        assert layer._frozen(torch.bfloat16)[0] is layer._frozen(torch.bfloat16)[0]
        with torch.no_grad():
            layer.base_layer.weight.zero_()
            layer.lora_B["default"].weight.zero_()
        changed = layer(image)
        torch.testing.assert_close(changed, layer.base_layer.bias.bfloat16()[None])
        assert not torch.equal(before, changed)
    assert not any("cast" in name for name in model.state_dict())
    model.eval()
    assert layer._cast == (None, [], None)


def test_dropout_drops_its_share_and_backward_drops_the_same() -> None:
    model = adapted(lean=True, dropout=0.5).double()
    layer = model.base_model.model.fc1
    x = torch.randn(3, 24, dtype=torch.float64, requires_grad=True)
    weights = (x, layer.lora_A["default"].weight, layer.lora_B["default"].weight)

    def seeded(*_: Tensor) -> Tensor:
        torch.manual_seed(4)
        return layer(x)

    assert torch.autograd.gradcheck(seeded, weights)
    many = torch.ones(4000, 24, dtype=torch.float64)
    torch.testing.assert_close(layer(many).mean(0), layer.eval()(many[:1])[0], rtol=0, atol=0.1)


def test_with_dropout_less_than_half_of_what_peft_keeps_is_kept() -> None:
    lean, plain = (trained(adapted(lean=lean, dropout=0.1))[2] for lean in (True, False))
    assert lean < 0.5 * plain
