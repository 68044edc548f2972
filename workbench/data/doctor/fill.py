"""Missing pixels that nobody declared: they are trained on as if they were measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import Finding, check

# Of the pixels looked at; two bands of one pixel seldom agree to the last digit, all never do.
_FEW = 0.0005
# Reflectance and decibels alike never come near; every fill value of a number's lower end does.
_IMPOSSIBLE = -0.5
_FILLS = (-32768, -9999, -999, 0, 65535)


@check("nodata as data")
def fill(evidence: Evidence) -> Iterable[Finding]:
    """One value in all bands, in many pixels, is a filler."""
    if len(evidence.optical) < 2:
        return
    info = evidence.dataset.info
    values: Counter[float] = Counter()
    chips: dict[float, list[str]] = {}
    labels: Counter[tuple[float, int]] = Counter()
    looked = 0
    for look in evidence.looks:
        image = look.frames[evidence.optical]
        valid, mask = (np.broadcast_to(pixels, image.shape[1:])
                       for pixels in (look.valid, look.mask))
        same = valid & (image.max(0) == image.min(0))
        looked += int(valid.sum())
        for value, count in zip(*np.unique(image[0][same], return_counts=True), strict=True):
            values[float(value)] += int(count)
            chips.setdefault(float(value), []).append(look.chip)
            for kind in mask[same & (image[0] == value)].tolist():
                labels[float(value), kind] += 1
    for value, count in values.most_common(1):
        stored = (value - info.offset) / info.scale
        known = min(_FILLS, key=lambda fill: abs(fill - stored))
        told = abs(known - stored) < 0.01 * max(1.0, abs(known)) * (1 if known else 0.01)
        if count < _FEW * looked or not (told or value < _IMPOSSIBLE):
            continue
        shown = known if told else round(stored, 4)
        where = f"{count / looked:.1%} of the pixels looked at are {shown:g} in every band"
        kind, labelled = max(
            ((kind, number) for (entry, kind), number in labels.items() if entry == value),
            key=lambda pair: pair[1],
        )
        if kind >= 0 and labelled > count / 2:
            name = evidence.dataset.classes[kind].name
            where += f", and {labelled / count:.0%} of them are labelled {name}: trained as a class"
        yield Finding(
            "warning", f"{where}; this looks like missing data that the files do not declare",
            tuple(chips[value]), f"pass nodata={shown:g}, and check which labels lie there",
        )
