"""Classes and regions across the parts; the index alone tells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.data.doctor.evidence import Evidence, Floats
from workbench.data.doctor.finding import Finding, check

# Shares of a class that differ by this factor and by this much make scores hard to compare.
_DRIFT_FACTOR, _DRIFT_SHARE = 2.0, 0.02
# Fewer clusters than this and no interval is drawn (the evaluation's own rule).
_FEWEST_CLUSTERS = 5
# A class this rare is hardly seen: a batch of eight chips of 128 pixels holds 130 pixels of it.
_RARE = 0.001


def _shares(evidence: Evidence, part: str) -> Floats:
    counts = np.array(evidence.split.part(part).class_counts(), float)
    shares: Floats = counts / max(counts.sum(), 1)
    return shares


@check("classes")
def missing_classes(evidence: Evidence) -> Iterable[Finding]:
    """Classes that a part does not have, or hardly."""
    classes = evidence.dataset.classes
    for part, chips in evidence.split.parts.items():
        if not chips:
            continue
        shares = _shares(evidence, part)
        missing = [entry.name for entry, share in zip(classes, shares, strict=True) if share == 0]
        if missing:
            yield Finding(
                "error" if part == "train" else "warning",
                f"{part} has no pixel of {', '.join(missing)}; "
                + ("it cannot be learned" if part == "train" else "no IoU of it can be given"),
            )
        rare = [f"{entry.name} ({share:.2%})" for entry, share in zip(classes, shares, strict=True)
                if 0 < share < _RARE]
        if rare and part == "train":
            yield Finding(
                "note", f"{', '.join(rare)} of the labelled pixels in train: too few to learn well",
                (), "weight the classes in the loss, or find more of them",
            )


@check("class balance")
def balance(evidence: Evidence) -> Iterable[Finding]:
    """Class shares that differ between the parts."""
    train = _shares(evidence, "train")
    for part in ("val", "test", "held_out"):
        if not evidence.split.parts[part]:
            continue
        for entry, there, here in zip(
            evidence.dataset.classes, train, _shares(evidence, part), strict=True
        ):
            low, high = sorted((there, here))
            if low > 0 and high > _DRIFT_FACTOR * low and high - low > _DRIFT_SHARE:
                yield Finding(
                    "note" if part == "held_out" else "warning",
                    f"{entry.name} is {there:.1%} of the labelled pixels in train but {here:.1%} "
                    f"in {part}",
                )


@check("regions")
def regions(evidence: Evidence) -> Iterable[Finding]:
    """Regions too small for intervals, or absent from a part."""
    split = evidence.split
    for part in ("test", "held_out"):
        chips = split.part(part).chips
        clusters = chips.groupby("region")["cluster"].nunique()
        few = [str(region) for region in clusters.index[clusters < _FEWEST_CLUSTERS]]
        if few:
            yield Finding(
                "note",
                f"{part}: {', '.join(few)} have fewer than {_FEWEST_CLUSTERS} clusters; their "
                "scores come without intervals",
            )
    trained = set(split.train.regions)
    for part in ("val", "test"):
        absent = sorted(trained - set(split.part(part).regions))
        if absent:
            yield Finding("note", f"{part} has no chip of {', '.join(absent)} (too few clusters)")
