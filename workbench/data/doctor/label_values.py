"""Labels that say the opposite, or nothing, where other chips say what the image shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import Finding, check
from workbench.data.doctor.reading_labels import Reading, features, telling, thinned

# Labels of other regions tell a region's labels with a correlation of 0.4 and more where they mean
# the same; well below zero they mean the opposite.
_OPPOSITE, _SURE = -0.25, 0.35
_FEWEST_CHIPS = 3
# Chips of one class alone in which others' labels tell another class in this share of the pixels,
# and the share of such chips among all from which on they are told.
_TOLD, _SHARE_OF_CHIPS = 0.15, 0.08
# Chips without a label in more than this share of their pixels, and how many make it worth telling.
_UNLABELLED, _MANY = 0.95, 0.2


@check("label values")
def opposite(evidence: Evidence) -> Iterable[Finding]:
    """Read the labels of each region with what all other regions teach."""
    looks, num_classes = telling(evidence.looks), evidence.dataset.num_classes
    images = {look.chip: features(thinned(look.layers)) for look in looks}
    masks = {look.chip: thinned(look.mask) for look in looks}
    by_region = {
        region: [look for look in looks if look.region == region]
        for region in dict.fromkeys(look.region for look in looks)
    }
    found: dict[str, float] = {}
    empty: list[str] = []
    for region, here in by_region.items():
        others = [look for look in looks if look.region != region]
        if len(here) < _FEWEST_CHIPS or len(others) < _FEWEST_CHIPS:
            continue
        reading = Reading([images[look.chip] for look in others],
                          [masks[look.chip] for look in others], num_classes)
        mixed = [look for look in here if len(np.unique(look.mask[look.mask >= 0])) > 1]
        found[region] = reading.agreement([images[look.chip] for look in mixed],
                                          [masks[look.chip] for look in mixed]) if mixed else 0.0
        for look in here:
            kinds = np.unique(look.mask[look.mask >= 0])
            if len(kinds) == 1 and found[region] > _SURE:
                told = (reading.scores(images[look.chip])
                        + reading.share[:, None])[:, masks[look.chip] >= 0].argmax(0)
                if len(told) and (told != kinds[0]).mean() > _TOLD:
                    empty.append(look.chip)
    turned = [region for region, value in found.items() if value < _OPPOSITE]
    if turned and len(turned) <= len(found) / 2:
        yield Finding(
            "error", f"labels of {', '.join(turned)} look exchanged: they say the opposite of what "
            "the labels of the other regions say of alike pixels",
            tuple(look.chip for region in turned for look in by_region[region]),
            "check the mask values of these files, and pass classes={value: name}",
        )
    elif len(empty) > max(1, _SHARE_OF_CHIPS * len(looks)):
        yield Finding(
            "warning", f"{len(empty)} of {len(looks)} chips looked at have one class only but look "
            "like they hold others: labels may be missing",
            tuple(empty), "look at them; if they were never labelled, leave them out",
        )


@check("empty labels")
def unlabelled(evidence: Evidence) -> Iterable[Finding]:
    """Chips nearly without a label cost time and teach nothing."""
    chips = evidence.dataset.chips.loc[list(evidence.part_of)]
    pixels = chips["height"] * chips["width"]
    bare = chips.index[(chips["count_ignore"] > _UNLABELLED * pixels).to_numpy()]
    if len(bare) > _MANY * len(chips):
        yield Finding(
            "warning", f"{len(bare)} of {len(chips)} chips have a label in less than "
            f"{1 - _UNLABELLED:.0%} of their pixels", tuple(bare),
            "check no_label=, or leave them out",
        )
