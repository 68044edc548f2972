"""Sen1Floods11 v1.1, hand-labelled: `EVENT_CHIP_S2Hand.tif`, `…_S1Hand.tif`, `…_LabelHand.tif`.

Source: cloudtostreet/Sen1Floods11, README.
"""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path

from workbench.catalog import Collection
from workbench.data.readers import READERS, Found
from workbench.data.readers._layout import find_folder, matching, one_each, wrong_root
from workbench.data.readers.geotiff import GeoTiffs


class Sen1Floods11(GeoTiffs):
    """A chip's event stands in its name; the event's date in the catalogue."""

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the chips of Sentinel-2, or of Sentinel-1 (`images="s1"`)."""
        sensor = "S1" if images == "s1" else "S2"
        pattern = rf"(.+)_(.+)_{sensor}Hand\.tif"
        folder = find_folder(root, collection.assets[sensor.lower()].path, pattern)
        labels = find_folder(root, collection.assets["labels"].path, r".+_LabelHand\.tif")
        if folder is None or labels is None:
            raise wrong_root(root, collection, " and ".join(
                f"{collection.assets[asset].path}/*_{word}Hand.tif"
                for asset, word in ((sensor.lower(), sensor), ("labels", "Label"))
            ))  # fmt: skip
        events = {place.source_name: place for place in collection.places}
        found = []
        for match in matching(folder, pattern):
            event, chip_id = events.get(match[1]), f"{match[1]}_{match[2]}"
            found.append(Found(
                chip_id, f"{folder}/{match[0]}", f"{labels}/{chip_id}_LabelHand.tif",
                event.region if event else match[1].lower(), chip_id,
                event.start if event else None,
            ))  # fmt: skip
        return one_each(found, only)

    def listed(self, entry: str) -> str:
        """Return `Ghana_313799` for `Ghana_313799_S1Hand.tif` too, as the official lists have."""
        return re.sub(r"_(S1|S2|Label)Hand(\.tif)?$", "", entry)


READERS.add("sen1floods11", Sen1Floods11())
