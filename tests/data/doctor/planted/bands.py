"""Bands in another order."""

from __future__ import annotations

import numpy as np

from tests.data.doctor.planted.faults import fault
from workbench.data.simulated.spectra import BANDS


def _order(name, *names):
    @fault(f"bands {name}", "band order", "another order")
    def plant(draw):
        order = [BANDS.index(band) for band in names]
        draw.every_image(lambda image, _: image[order])


B, G, R, N, S1, S2 = BANDS
_order("reversed", S2, S1, N, R, G, B)
_order("RGB for BGR", R, G, B, N, S1, S2)
_order("NIR and RED exchanged", B, G, N, R, S1, S2)
_order("NIR and GREEN exchanged", B, N, R, G, S1, S2)
_order("NIR and SWIR_1 exchanged", B, G, R, S1, N, S2)
_order("SWIRs exchanged", B, G, R, N, S2, S1)
_order("rolled by one", G, R, N, S1, S2, B)
_order("rolled back by one", S2, B, G, R, N, S1)


@fault("bands permuted at random", "band order", "another order")
def _(draw):
    order = draw.random.permutation(6)
    while (order == np.arange(6)).sum() > 2:
        order = draw.random.permutation(6)
    draw.every_image(lambda image, _: image[order])
