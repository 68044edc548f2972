"""Whether bands can be what they are called, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import Finding, check
from workbench.data.folder import count_kinds
from workbench.data.plausibility import implausible_bands


@check("band values")
def values(evidence: Evidence) -> Iterable[Finding]:
    """Units, signs, constants and copies; says so where there were no images to look at."""
    if not evidence.looks:
        yield Finding("note", "no image could be read: only the index was checked")
        return
    looked = [look for look in evidence.looks if look.part == "train"] or evidence.looks
    pixels = evidence.pixels("train" if looked is not evidence.looks else None)
    problems = implausible_bands(evidence.dataset, pixels, len(looked))
    for what in problems:
        yield Finding("warning", what)
    if not problems:
        yield Finding("ok", "band values are plausible")


@check("left out")
def left_out(evidence: Evidence) -> Iterable[Finding]:
    """What indexing left out, and what lies in the buffer between the parts."""
    skipped, buffer = evidence.dataset.skipped, evidence.split.left_out
    if skipped:
        yield Finding("note", f"left out while indexing: {count_kinds(skipped)}", tuple(skipped))
    if buffer:
        yield Finding("note", f"{len(buffer)} chips lie in the buffer between the parts and are in "
                      "none of them", buffer)
