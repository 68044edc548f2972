"""Labels that lie beside what they label: by a fraction of a pixel, some pixels, or turned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import fft

from workbench.data.doctor.evidence import Evidence, Floats, Look
from workbench.data.doctor.finding import Finding, check
from workbench.data.doctor.reading_labels import (
    Labels,
    Reading,
    agreement,
    features,
    telling,
    thinned,
)

# Pixels to each side within which a shift is looked for.
_REACH = 8
# Shift in pixels from which on it is told, over all chips and in one region; half a pixel is what
# mixing up centres and corners of pixels makes. Clean development draws stay within 0.2 and 0.4.
_SHIFT, _REGION_SHIFT = 0.35, 0.60
# Fewer chips in which two classes meet tell no direction.
_FEWEST_EDGES = 6
# Below this agreement of image and label there is nothing to align.
_WEAK = 0.25
# How much better labels of another chip or attitude must agree before it is told.
_BETTER = 0.15

_ATTITUDES: dict[str, Callable[[Labels], Labels]] = {
    "upside down": lambda mask: mask[::-1],
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "turned by half": lambda mask: mask[::-1, ::-1],
    "with rows and columns exchanged": lambda mask: mask.T,
    "turned by a quarter": lambda mask: np.rot90(mask),
    "turned by a quarter the other way": lambda mask: np.rot90(mask, -1),
}


@check("label position")
def alignment(evidence: Evidence) -> Iterable[Finding]:
    """Edges of labels lie where the image changes, if they are of the same pixels."""
    looks = telling(evidence.looks)
    num_classes = evidence.dataset.num_classes
    if len(looks) < _FEWEST_EDGES or num_classes < 2:
        return
    images = [features(thinned(look.layers)) for look in looks]
    own = agreement(images, [thinned(look.mask) for look in looks], num_classes)
    misplaced = _misplaced(looks, images, num_classes, own)
    if misplaced:
        yield misplaced
    elif own > _WEAK:
        reading = Reading(images, [thinned(look.mask) for look in looks], num_classes)
        yield from _shifted(looks, reading)


def _misplaced(looks: Sequence[Look], images: Sequence[Floats], num_classes: int, own: float
               ) -> Finding | None:
    """Say whose labels, or in which attitude, agree much better than the labels as they are."""
    found: list[tuple[float, str]] = []
    at = {look.place: number for number, look in enumerate(looks)}
    for step, whose in ((1, "the chip after"), (-1, "the chip before")):
        pairs = [
            (number, at[look.place + step]) for number, look in enumerate(looks)
            if look.place + step in at
            and looks[at[look.place + step]].mask.shape == look.mask.shape
        ]
        if len(pairs) >= _FEWEST_EDGES:
            there = [images[one] for one, _ in pairs]
            theirs = [thinned(looks[other].mask) for _, other in pairs]
            better = agreement(there, theirs, num_classes) - own
            found.append((better, f"those of {whose}: shifted by one chip"))
    if all(look.mask.shape[0] == look.mask.shape[1] for look in looks):
        for name, turn in _ATTITUDES.items():
            masks = [thinned(turn(look.mask)) for look in looks]
            found.append((agreement(images, masks, num_classes) - own, name))
    most, what = max(found, default=(0.0, ""))
    if most < _BETTER:
        return None
    return Finding(
        "error", f"labels do not fit their images; they look like {what}"
        if "chip" in what else f"labels do not fit their images; they look {what}",
        tuple(look.chip for look in looks), "pair images and masks again, and look at some",
    )


def _shifted(looks: Sequence[Look], reading: Reading) -> Iterable[Finding]:
    peaks = {
        number: _products(reading.scores(features(look.layers)), look)
        for number, look in enumerate(looks)
        if len(np.unique(look.mask[look.mask >= 0])) > 1
    }
    groups = {"": list(peaks)}
    for region in dict.fromkeys(look.region for look in looks):
        groups[region] = [number for number in peaks if looks[number].region == region]
    for region, members in groups.items():
        if len(members) < _FEWEST_EDGES:
            continue
        down, right = _peak(np.sum([peaks[number] for number in members], axis=0))
        away = float(np.hypot(down, right))
        if away > (_REGION_SHIFT if region else _SHIFT):
            where = f"in {region}" if region else "in all regions together"
            yield Finding(
                "warning",
                f"labels look shifted against the images by {_words(down, right)} {where}",
                tuple(looks[number].chip for number in members),
                "compare the geotransforms of images and masks (pixel centre or corner?)",
            )
            return


def _words(down: float, right: float) -> str:
    parts = [f"{abs(value):.1f} pixels {word[int(value > 0)]}"
             for value, word in ((down, ("up", "down")), (right, ("left", "right")))
             if abs(value) > 0.2]
    return " and ".join(parts)


def _products(scores: Floats, look: Look) -> Floats:
    """Return the sum of scores times labels for every shift of the labels, rows by columns."""
    labelled = look.mask >= 0
    shape = [fft.next_fast_len(side + 2 * _REACH) for side in look.mask.shape]
    total = np.zeros((2 * _REACH + 1, 2 * _REACH + 1))
    for kind, score in enumerate(scores):
        label = np.where(labelled, (look.mask == kind) - (look.mask[labelled] == kind).mean(), 0.0)
        told = np.where(look.valid, score - score[look.valid].mean(), 0.0)
        whole = fft.irfft2(fft.rfft2(label, shape) * np.conj(fft.rfft2(told, shape)), shape)
        total += np.roll(whole, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1]
    return total


def _peak(products: Floats) -> tuple[float, float]:
    """Return where the peak lies, in fractions of a pixel by a parabola through its neighbours."""
    row, col = np.unravel_index(int(products.argmax()), products.shape)
    shift = []
    for place, line in ((int(row), products[:, col]), (int(col), products[row])):
        if 0 < place < len(line) - 1:
            before, top, after = line[place - 1 : place + 2]
            bend = before - 2 * top + after
            shift.append(place - _REACH + (0.5 * (before - after) / bend if bend else 0.0))
        else:
            shift.append(float(place - _REACH))
    return shift[0], shift[1]
