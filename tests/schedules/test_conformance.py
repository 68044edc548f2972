"""What every registered schedule keeps to; a new one is tested by registering."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from workbench.schedules import SCHEDULES, Cosine, Plateau, as_schedule

CASES = [*(kind() for kind in SCHEDULES.values()), Cosine(warmup=0.0, floor=0.1),
         Plateau(patience=0, factor=0.1)]  # fmt: skip
every = pytest.mark.parametrize("options", CASES, ids=repr)
STEPS, EPOCHS = 7, 20
LOSSES = np.random.default_rng(0).uniform(0.3, 0.4, EPOCHS).round(2).tolist()


def factors(options) -> list[float]:
    return [options.scale(epoch * STEPS + step, STEPS * EPOCHS, LOSSES[:epoch])
            for epoch in range(EPOCHS) for step in range(STEPS)]  # fmt: skip


@every
def test_the_rate_never_exceeds_its_peak_nor_stops_learning(options):
    assert all(0 < factor <= 1 for factor in factors(options))
    assert max(factors(options)) == 1


@every
def test_it_survives_json_and_its_repr_is_python(options):
    assert as_schedule(json.loads(json.dumps(options.to_json()))) == options
    assert eval(repr(options)) == options
    assert options.summary
    assert all(field.description for field in type(options).model_fields.values())


@pytest.mark.parametrize(("patience", "factor"), [(4, 0.5), (0, 0.9), (2, 0.1)])
def test_plateau_is_torchs(patience, factor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, eps=0.0
    )
    for done in range(1, EPOCHS + 1):
        reference.step(LOSSES[done - 1])
        mine = Plateau(patience=patience, factor=factor).scale(0, 0, LOSSES[:done])
        assert mine == pytest.approx(optimizer.param_groups[0]["lr"])


def test_cosine_rises_in_a_line_then_is_torchs():
    mine = [Cosine(warmup=0.1, floor=0.2).scale(step, 50, []) for step in range(50)]
    np.testing.assert_allclose(mine[:6], np.arange(1, 7) / 6)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 45, eta_min=0.2)
    for factor in mine[5:]:
        assert factor == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
