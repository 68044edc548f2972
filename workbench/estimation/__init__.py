"""What a training costs, said before it starts: analysed, probed, and what would fit instead."""

from __future__ import annotations

from workbench.estimation.advice import advise
from workbench.estimation.estimating import Estimate, Estimator, auto_batch, estimate

__all__ = ["Estimate", "Estimator", "advise", "auto_batch", "estimate"]
