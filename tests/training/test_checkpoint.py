from __future__ import annotations

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from workbench.training.checkpoint import Progress, full_disk_told, load, save


@pytest.mark.parametrize("steps", [0, 3])
def test_an_optimiser_goes_on_as_if_never_saved(tmp_path, steps):
    def make() -> tuple[nn.Linear, torch.optim.AdamW]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    def go(model: nn.Linear, optimizer: torch.optim.AdamW, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()

    one, optimizer = make()
    go(one, optimizer, steps)
    progress = Progress(step=steps, val_losses=[0.1 + 0.2, 1e-12], loss_sum=1 / 3, pixels=7)
    save(tmp_path, progress, dict(one.named_parameters()), optimizer)
    other, fresh = make()
    other.load_state_dict(one.state_dict())
    assert load(tmp_path, dict(other.named_parameters()), fresh) == progress
    go(one, optimizer, 2)
    go(other, fresh, 2)
    assert torch.equal(one.weight, other.weight)


def test_the_best_epoch_is_the_first_of_equals():
    assert Progress(val_losses=[0.5, 0.3, 0.4, 0.3]).best_epoch == 1


def test_a_full_disk_is_the_same_error_whoever_says_it():
    with pytest.raises(OSError, match="os error 28") as caught, full_disk_told():
        raise SafetensorError("I/O error: No space left on device (os error 28)")
    assert caught.value.errno == 28
    with pytest.raises(SafetensorError, match="header"), full_disk_told():
        raise SafetensorError("header is too long")
