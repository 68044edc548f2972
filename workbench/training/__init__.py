"""Training: a generator of events that writes the run folder."""

from __future__ import annotations

from workbench.training.control import Control
from workbench.training.session import prepare, train, work

__all__ = ["Control", "prepare", "train", "work"]
