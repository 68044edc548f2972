"""HLS Burn Scars: `subsetted_512x512_HLS.S30.T10SEH.2018190.v1.4_merged.tif` and `….mask.tif`.

Chips lie in `training/` and `validation/`, or all in one folder. Their ids are those of the PEFT
paper's lists, `T10SEH.2018190.v1`.

Source: the dataset's card, doi:10.57967/hf/0956.
"""

from __future__ import annotations

import datetime
from collections.abc import Container
from pathlib import Path

from workbench.catalog import Collection
from workbench.data.readers import READERS, Found
from workbench.data.readers._layout import find_folder, matching, one_each, wrong_root
from workbench.data.readers.geotiff import GeoTiffs

_PARTS = {"training": "train", "validation": "val"}
_IMAGE = (r"(?P<stem>subsetted_512x512_HLS\.[SL]30\."
          r"(?P<chip>T(?P<tile>(?P<zone>\d\d)[A-Z]{3})\.(?P<day>\d{7})\.v\d+)\.\d+)_merged\.tif")


class BurnScars(GeoTiffs):
    """Tile and day stand in the name: the tile is the cluster, its UTM zone the region."""

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Return the chips of both folders, or of one that holds them all."""
        parts = {find_folder(root, name, _IMAGE): part for name, part in _PARTS.items()}
        parts.pop(None, None)
        if not parts:
            raise wrong_root(root, collection, "training/ and validation/ with subsetted_512x512_"
                             "HLS.S30.TTILE.YYYYDDD.v1.4_merged.tif and .mask.tif")
        return one_each([
            Found(
                match["chip"], f"{folder}/{match[0]}", f"{folder}/{match['stem']}.mask.tif",
                f"zone-{match['zone']}", match["tile"], _iso(match["day"]),
                part if folder.name in _PARTS else None,
            )
            for folder, part in parts.items() if folder
            for match in matching(folder, _IMAGE)
        ], only)  # fmt: skip


def _iso(day: str) -> str:
    """Return the ISO date of a year and a day of the year, `2018190`."""
    return datetime.datetime.strptime(day, "%Y%j").date().isoformat()


READERS.add("hls-burn-scars", BurnScars())
