"""Several dates of a chip: copies of each other, in other units, or out of order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from workbench.data.doctor.evidence import Evidence, Look
from workbench.data.doctor.finding import Finding, check

# Share of the chips looked at: a mosaic may fill a gap here and there with another date.
_COPIES = 0.1
# Factor between a date and the others, alike in every band, that no season makes, and how alike
# the bands must be, as a deviation of logarithms; snow is bright in the visible alone.
_OTHER_UNITS, _ALIKE = 6.0, 0.30
# Every so many pixels are enough for a median; an odd step does not stay in one column.
_STEP = 17


@check("frames")
def frames(evidence: Evidence) -> Iterable[Finding]:
    """Compare the dates of chips with each other."""
    if evidence.dataset.num_frames == 1 or not evidence.looks:
        return
    yield from _copied(evidence.looks)
    yield from _other_units(evidence)
    yield from _unordered(evidence)


def _copied(looks: Sequence[Look]) -> Iterable[Finding]:
    for one, other in combinations(range(looks[0].frames.shape[1]), 2):
        chips = tuple(look.chip for look in looks if look.valid.any() and np.array_equal(
            look.frames[:, one][:, look.valid], look.frames[:, other][:, look.valid]))
        if len(chips) > _COPIES * len(looks):
            yield Finding(
                "warning", f"frames {one + 1} and {other + 1} hold the same pixels in {len(chips)} "
                f"of {len(looks)} chips looked at", chips,
                "check which dates the files hold; a copy tells nothing of change",
            )


def _other_units(evidence: Evidence) -> Iterable[Finding]:
    if len(evidence.optical) < 2:
        return
    seen = [look.frames[evidence.optical][..., look.valid][..., ::_STEP] for look in evidence.looks]
    medians = np.median(np.concatenate(seen, axis=-1), axis=-1)
    if not medians.size or not (medians > 0).all():
        return
    for frame in range(medians.shape[1]):
        others = np.median(np.delete(medians, frame, axis=1), axis=1)
        found = np.log(medians[:, frame] / others)
        factor = float(np.exp(found.mean()))
        if found.std() < _ALIKE and max(factor, 1 / factor) > _OTHER_UNITS:
            yield Finding(
                "error", f"frame {frame + 1} is {factor:.2g} times as bright as the others in "
                "every band: it looks stored in other units", (),
                "bring all dates to the same units",
            )
            return


def _unordered(evidence: Evidence) -> Iterable[Finding]:
    dates = {chip: evidence.dataset.date(chip) for chip in evidence.part_of}
    mixed = tuple(chip for chip, days in dates.items()
                  if isinstance(days, tuple) and list(days) != sorted(set(days)))
    if mixed:
        yield Finding("note", f"the dates of {len(mixed)} chips are not in ascending order", mixed,
                      "check date=, and that the files hold their dates in the same order")
