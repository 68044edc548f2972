"""Parts of a large scene as pictures for a web map, small enough to be sent at every move."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import xarray as xr

from workbench.plots.chip_map import FALSE_COLOUR, IMAGE, Layer, layer, layer_names, shown_bands
from workbench.plots.pixels import Stretch, find_stretch
from workbench.plots.webmap import LARGEST_SIDE, Overlay
from workbench.prediction.thinning import Part
from workbench.prediction.viewing import Scene

# Of one picture, as it is sent. Two maps show an image and classes each: 300 kB together.
MOST_BYTES = {"imagery": 108_000, "classes": 40_000}
_SMALLER, _SMALLEST_SIDE = 0.75, 128


class Picture(NamedTuple):
    """What one side of a map shows: the image, if there is one, classes over it, their legend."""

    image: Overlay | None
    classes: Overlay | None
    layer: Layer


class SceneLayers:
    """The layers of a scene, painted part by part.

    Args:
        scene: What is shown.

    Attributes:
        names: What the layers are called.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.names = [name for name in layer_names(scene.bands, scene.runs,
                                                   [entry.name for entry in scene.classes])
                      if self._kinds(name) <= {"class", *scene.kinds}]
        # Of the whole scene, so that nothing flickers as a map is dragged.
        self._stretch = functools.cache(self._find_stretch)

    def paint(self, part: Part, names: Sequence[str]) -> list[Picture]:
        """Return a part of the scene as one picture for each name.

        Raises:
            DataError: A file cannot be read.
            DownloadError: A server does not answer.
            GridError: It is where Web Mercator does not show it.
        """
        kinds = {"image"} & {*self.scene.kinds}
        kinds = kinds.union(*map(self._kinds, names))
        view = self.scene.view(part, sorted(kinds))
        made = functools.cache(functools.partial(self._made, view))
        image = made(IMAGE)[1] if "image" in kinds else None
        found = []
        for name in names:
            shown, overlay = made(name)
            found.append(Picture(overlay, None, shown) if shown.imagery else
                         Picture(image, overlay, shown))
        return found

    def _made(self, view: xr.Dataset, name: str) -> tuple[Layer, Overlay]:
        stretch = self._stretch(name) if name in (IMAGE, FALSE_COLOUR) else None
        shown = layer(view, name, stretch)
        return shown, _small(shown, view)

    def _find_stretch(self, name: str) -> Stretch | None:
        whole = self.scene.view(self.scene.all, ["image"])
        return find_stretch(whole["image"].values, self.scene.bands,
                            shown_bands(name, self.scene.bands))

    @staticmethod
    def _kinds(name: str) -> set[str]:
        """Return what of a scene a layer is made of."""
        if name in (IMAGE, FALSE_COLOUR):
            return {"image"}
        what = name.partition(" of ")[0]
        return {"probability"} if what == "confidence" else \
            {"label"} if what in ("label", "errors") else {"class"}


def _small(shown: Layer, view: xr.Dataset) -> Overlay:
    """Return a layer as a picture of few bytes: of fewer pixels where it would have more."""
    most, side = MOST_BYTES["imagery" if shown.imagery else "classes"], LARGEST_SIDE
    while True:
        found = shown.overlay(view, side=side)
        if len(found.url) <= most or side <= _SMALLEST_SIDE:
            return found
        side = round(_SMALLER * min(side, max(shown.pixels.shape[:2])))
