"""Faults planted into simulated chips, and what the doctor says of them."""

from __future__ import annotations

from tests.data.doctor.planted import (
    bands,  # noqa: F401  (each plants its faults)
    labels,  # noqa: F401
    parts,  # noqa: F401
    positions,  # noqa: F401
    values,  # noqa: F401
)
from tests.data.doctor.planted.drawing import JUDGED, Draw, pool
from tests.data.doctor.planted.faults import FAULTS

__all__ = ["FAULTS", "JUDGED", "alarms", "first_alarms", "is_named", "named", "pool", "prepare"]


def named(name, chips_by_place, seed):
    """Return whether a planted fault is found by its check in its words, and all that was told."""
    (check, words), plant = FAULTS[name]
    draw = Draw(chips_by_place, seed)
    plant(draw)
    told = [entry for entry in draw.split().audit().findings if entry.level != "ok"]
    return any(entry.check == check and words in str(entry) for entry in told), told


# What a clean draw may be told: its four places are small, and differ in how much water they have.
EXPECTED = {"regions", "class balance", "classes", "left out", "neighbours", "events"}


def alarms(chips_by_place, seed):
    """Return what is told of a clean draw beyond its size."""
    audit = Draw(chips_by_place, seed).split().audit()
    return [entry for entry in audit.findings
            if entry.level != "ok" and entry.check not in EXPECTED]


_prepared: dict = {}


def prepare(names, seed, elsewhere):
    """Make the places once in a process that draws."""
    _prepared.update(pool(names, seed, elsewhere))


def is_named(name, seed):
    return named(name, _prepared, seed)[0]


def first_alarms(seed):
    return [finding.check for finding in alarms(_prepared, seed)[:1]]
