"""The faults by name, each with the check that must find it."""

from __future__ import annotations

from collections.abc import Callable

from tests.data.doctor.planted.drawing import Draw

FAULTS: dict[str, tuple[tuple[str, str], Callable[[Draw], None]]] = {}


def fault(name, check, words=""):
    """Register a fault with the check that must find it and words that it must use."""

    def register(plant):
        FAULTS[name] = ((check, words), plant)
        return plant

    return register
