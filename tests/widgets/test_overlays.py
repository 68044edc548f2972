from __future__ import annotations

import numpy as np
from affine import Affine

from workbench.plots.webmap import class_overlay, image_overlay
from workbench.widgets.overlays import PIXELATED, layer

GRID = Affine(30, 0, 300_000, 0, -30, 8_700_000)


def test_a_layer_carries_its_picture_pane_and_opacity():
    shown = layer(class_overlay(np.zeros((4, 4), np.uint8), GRID, "EPSG:32720", ["#1f78b4"]),
                  name="label", pane="left", opacity=0.4)
    assert shown.url.startswith("data:image/png")
    assert (shown.name, shown.pane, shown.opacity) == ("label", "left", 0.4)
    (south, west), (north, east) = shown.bounds
    assert -12 < south < north < -11
    assert -65 < west < east < -64


def test_classes_are_what_the_style_keeps_from_being_smoothed():
    image = layer(image_overlay(np.zeros((4, 4, 3), np.uint8), GRID, "EPSG:32720"), name="image")
    assert image.url.startswith("data:image/webp")
    assert "data:image/png" in PIXELATED
    assert "webp" not in PIXELATED
