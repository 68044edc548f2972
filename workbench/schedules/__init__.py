"""Schedules of the learning rate: the contract and the registry.

Every file `<name>.py` of this folder is one schedule. The rate of a step is a function of how far
training has come alone, so that an interrupted training goes on with the same rates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from workbench.options import Choice, choose
from workbench.registry import Registry, import_plugins


class Schedule(Choice, ABC):
    """Base of the options of a schedule."""

    @abstractmethod
    def scale(self, step: int, steps: int, val_losses: Sequence[float]) -> float:
        """Return what the peak learning rate is multiplied by, 0 to 1.

        Args:
            step: Steps done since the start.
            steps: Steps that training has if nothing ends it early.
            val_losses: Validation loss of every epoch done.
        """


SCHEDULES: Registry[type[Schedule]] = Registry("schedule", "workbench.schedules.SCHEDULES")


def register(schedule: type[Schedule]) -> type[Schedule]:
    """Register the decorated options under their `kind`."""
    return SCHEDULES.add(schedule.kind, schedule)


def as_schedule(value: Any) -> Schedule:
    """Return the options for a name, for plain data with its `kind`, or as they are."""
    return choose(value, SCHEDULES, field="schedule", example="Cosine(warmup=0.1)")


import_plugins(__name__, __path__)

from workbench.schedules.cosine import Cosine  # noqa: E402
from workbench.schedules.plateau import Plateau  # noqa: E402

__all__ = ["SCHEDULES", "Cosine", "Plateau", "Schedule", "as_schedule", "register"]
