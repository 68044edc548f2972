"""fit, launch and resume: training seen by whoever looks on, then scored once."""

from __future__ import annotations

from workbench.fitting.background import launch
from workbench.fitting.foreground import fit, resume

__all__ = ["fit", "launch", "resume"]
