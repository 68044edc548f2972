"""Which band of a source is which: by its own names, by those given, else those of training."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from workbench.data import bands as band_names
from workbench.errors import BandError
from workbench.prediction.needs import Needs, PredictionWarning


def band_places(name: str, count: int, said: Sequence[str | None], needs: Needs,
            bands: Sequence[str] | None) -> list[int]:
    """Return where the needed bands stand in a source, counted from 0.

    Args:
        name: What messages call the source.
        count: How many bands it has.
        said: The names it gives them.
        needs: What the model takes.
        bands: The names given for them, in the order of the source.

    Raises:
        BandError: A needed band is missing, not named or there twice.

    Warns:
        PredictionWarning: Bands without names are taken for those of the training data.
    """
    if isinstance(bands, str):
        raise BandError(f"bands={bands!r} is one string; pass a list of names: [{bands!r}].")
    if bands is not None and len(bands) != count:
        raise BandError(
            f"bands= names {len(bands)} bands ({', '.join(map(str, bands))}), but {name} has "
            f"{count}. Name all of them in their order."
        )
    names = [None if given is None else band_names.find(given) or str(given).strip().upper()
             for given in (said if bands is None else bands)]
    if not any(names) and count == len(needs.stored_bands):
        warnings.warn(
            f"{name} does not name its {count} bands; they are taken for those of the training "
            f"data: {', '.join(str(band or '(not used)') for band in needs.stored_bands)}. Pass "
            "bands=[…] if they are others.", PredictionWarning, stacklevel=6)
        names = list(needs.stored_bands)
    wrong = [band for band in needs.bands if names.count(band) != 1]
    if wrong:
        raise BandError(_band_message(name, count, said if bands is None else bands, needs, wrong))
    return [names.index(band) for band in needs.bands]


def _band_message(name: str, count: int, said: Sequence[str | None], needs: Needs,
                  wrong: Sequence[str]) -> str:
    there = ", ".join(str(band or "(no name)") for band in said)
    plural = "band" if count == 1 else "bands"
    example = ", ".join(repr(band) for band in needs.bands)
    remedy = "" if count < len(needs.bands) else (
        f" If it has them under other names, name all {count} in their order: predict(…, "
        f"bands=[{example}{', …' if count > len(needs.bands) else ''}])."
    )
    return (f"The model needs {', '.join(needs.bands)}; {name} lacks {', '.join(wrong)} (or has "
            f"more than one). Its {count} {plural}: {there}.{remedy}")
