"""The same picture under two names: exactly, or resampled, brightened, noisy, turned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from workbench.data.doctor.evidence import CELLS, Evidence, Floats
from workbench.data.doctor.finding import Finding, check

# Correlation of two small pictures (three bands of 16 x 16 cell means). Different ground of one
# scene stays below 0.9; resampling or noise of a tenth of the contrast stays above 0.97.
_ALIKE = 0.96
# Contrast of a picture's cells against their mean below which it shows nothing to compare.
_FLAT = 0.02


@check("duplicates")
def duplicates(evidence: Evidence) -> Iterable[Finding]:
    """The same pixels in two parts make scores too good."""
    same: dict[bytes, list[str]] = defaultdict(list)
    for signature in evidence.signatures:
        same[signature.digest].append(signature.chip)
    twins = [tuple(group) for group in same.values() if len(group) > 1]
    leaks = [group for group in twins if len({evidence.part_of[chip] for chip in group}) > 1]
    copies = {chip for group in twins for chip in group}
    near = [pair for pair in _alike(evidence) if not copies & set(pair)]
    if leaks:
        yield Finding(
            "error",
            f"{len(leaks)} images are in more than one part under different names; "
            "remove the copies",
            tuple(chip for group in leaks for chip in group),
        )
    elif twins:
        yield Finding(
            "note",
            f"{len(twins)} images occur more than once within a part",
            tuple(chip for group in twins for chip in group),
        )
    if near:
        yield Finding(
            "warning",
            f"{len(near)} pairs of images in different parts look like copies of each other "
            "(resampled, turned or with noise), or like one place on two dates",
            tuple(dict.fromkeys(chip for pair in near for chip in pair)),
            "put both into one part (a common region or cluster), or remove one",
        )
    if evidence.signatures and not twins and not near:
        yield Finding("ok", "no image occurs twice")


def _alike(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield pairs of chips of different parts whose pictures agree in one of eight attitudes."""
    pictures = np.array([entry.picture for entry in evidence.signatures])
    if len(pictures) < 2:
        return
    centred = pictures - pictures.mean((2, 3), keepdims=True)
    contrast = np.sqrt((centred**2).mean((1, 2, 3)))
    told = contrast > _FLAT * np.abs(pictures).mean((1, 2, 3))
    chips = np.array([entry.chip for entry in evidence.signatures])[told]
    parts = np.array([evidence.part_of[chip] for chip in chips])
    centred = centred[told]
    length = np.sqrt((centred**2).sum((2, 3), keepdims=True))
    centred = centred / np.maximum(length, 1e-12)
    flat = centred.reshape(len(centred), -1)
    best = np.full((len(flat), len(flat)), -1.0)
    for turned in _attitudes(centred):
        best = np.maximum(best, flat @ turned.reshape(len(flat), -1).T / 3)
    first, second = np.nonzero(np.triu(best > _ALIKE, 1) & (parts[:, None] != parts))
    yield from zip(chips[first].tolist(), chips[second].tolist(), strict=True)


def _attitudes(pictures: Floats) -> Iterator[Floats]:
    assert pictures.shape[-1] == CELLS
    for turns in range(4):
        turned = np.rot90(pictures, turns, (2, 3))
        yield turned
        yield turned[..., ::-1]
