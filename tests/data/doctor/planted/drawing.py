"""Draws of simulated chips in memory, to plant faults into."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import geopandas
import numpy as np
import shapely

from workbench.data import ClassInfo, Dataset, DatasetInfo, Sample
from workbench.data.reading import class_indices, valid_pixels
from workbench.data.simulated.regions import REGIONS, random_profile
from workbench.data.simulated.scene import simulate_scene
from workbench.data.simulated.spectra import BANDS, NODATA

SIDE, ROWS, COLUMNS, SCENES = 64, 2, 3, 4
CLASSES = (ClassInfo(name="land", color="#ccbb44"), ClassInfo(name="water", color="#4477aa"))

DEVELOPMENT = tuple(list(REGIONS)[::2])
JUDGED = tuple(list(REGIONS)[1::2])


@dataclasses.dataclass(frozen=True)
class Chip:
    place: str
    scene: int
    image: np.ndarray
    mask: np.ndarray
    box: tuple[float, float, float, float]
    crs: str
    date: str


def pool(names, seed, elsewhere=0):
    """Return chips by place: of regions, and of river plains that no region has."""
    random = np.random.default_rng(seed)
    profiles = {name: REGIONS[name] for name in names}
    while len(profiles) < len(names) + elsewhere:
        profile = random_profile(random)
        profiles.setdefault(profile.name, profile)
    return {name: list(_chips(name, profile, seed)) for name, profile in profiles.items()}


def _chips(name, profile, seed):
    west, south, east, north = profile.area
    for scene in range(SCENES):
        entropy = np.random.SeedSequence([seed, len(name), *name.encode(), scene])
        made = simulate_scene(profile, seed=entropy, shape=(ROWS * SIDE, COLUMNS * SIDE))
        lon = west + (east - west) * (0.15 + 0.23 * scene)
        lat = south + (north - south) * 0.5
        step = SIDE * 30 / 111_200
        for row in range(ROWS):
            for column in range(COLUMNS):
                y, x = row * SIDE, column * SIDE
                image = made.image[:, y : y + SIDE, x : x + SIDE]
                mask = made.mask[y : y + SIDE, x : x + SIDE]
                if (mask >= 0).mean() > 0.1:
                    left, top = lon + column * step, lat - row * step
                    box = (left, top - step, left + step, top)
                    yield Chip(name, scene, image, mask, box, made.crs.to_string(), made.date)


@dataclasses.dataclass(eq=False, repr=False)
class InMemory(Dataset):
    """A dataset whose files are arrays."""

    stored: dict = dataclasses.field(default_factory=dict)

    def read(self, chip_id):
        image, mask = self.stored[chip_id]
        valid = valid_pixels(image, self.info.nodata)
        labels = class_indices(mask, self.info, None, chip_id)
        labels[~valid] = -1
        scaled = (image * self.info.scale + self.info.offset).astype(np.float32)
        scaled[:, ~valid] = np.nan
        row = self.chips.loc[chip_id]
        return Sample(scaled, labels, valid, chip_id, row["region"], row["cluster"], row["date"],
                      None, row["crs"], None)


class Draw:
    """Chips of four places drawn from a pool, a little brighter or darker, noisy and mirrored."""

    def __init__(self, chips_by_place, seed):
        self.random = random = np.random.default_rng([9, seed])
        self.places = list(random.choice(list(chips_by_place), 4, replace=False))
        self.chips = []
        for place in self.places:
            chips = chips_by_place[place]
            self.chips += [chips[k] for k in sorted(random.permutation(len(chips))[:14])]
        gain = random.uniform(0.93, 1.07)
        self.images, self.masks = [], []
        for chip in self.chips:
            noise = random.normal(0, 15, chip.image.shape)
            turned = np.clip(np.rint(chip.image * gain + noise), 1, 16_000).astype(np.int16)
            turned = np.where(chip.image == NODATA, NODATA, turned)
            flip = slice(None, None, int(random.choice([-1, 1])))
            self.images.append(np.ascontiguousarray(turned[:, :, flip]))
            self.masks.append(np.ascontiguousarray(chip.mask[:, flip]))
        self.ids = [f"{chip.place}_{number:02d}" for number, chip in enumerate(self.chips)]
        self.boxes = [chip.box for chip in self.chips]
        self.crs = [chip.crs for chip in self.chips]
        self.clusters = [f"{chip.place}/{chip.scene}" for chip in self.chips]
        self.options = {"scale": 1e-4, "nodata": float(NODATA)}
        self.bands = BANDS
        self.collection = None
        self.edit_split = None
        self.split_options = {}

    @property
    def of_one_place(self):
        """Numbers of the chips of one place, which training sees."""
        return [n for n, chip in enumerate(self.chips) if chip.place == self.places[1]]

    def every_image(self, change: Callable, numbers=None):
        for number in range(len(self.images)) if numbers is None else numbers:
            image = self.images[number]
            gone = (image == NODATA).all(0)
            changed = change(image.astype(float), number)
            self.images[number] = np.where(gone, NODATA, changed)

    def every_mask(self, change: Callable, numbers=None):
        masks = [mask.copy() for mask in self.masks]
        for number in range(len(masks)) if numbers is None else numbers:
            self.masks[number] = np.ascontiguousarray(change(masks[number], number))

    def split(self):
        info = DatasetInfo(
            name="planted", collection=self.collection, bands=self.bands, classes=CLASSES,
            source={"kind": "none"}, stored_bands=self.bands, class_values=(0, 1),
            chip_shape=(SIDE, SIDE), **self.options,
        )
        counts = [np.bincount(mask.ravel() + 1, minlength=3) for mask in self.masks]
        table = {
            "image": self.ids, "mask": self.ids, "col_off": 0, "row_off": 0, "width": SIDE,
            "height": SIDE, "region": [chip.place for chip in self.chips],
            "cluster": self.clusters, "date": [chip.date for chip in self.chips], "crs": self.crs,
            "valid_fraction": 1.0, "count_0": [int(c[1]) for c in counts],
            "count_1": [int(c[2]) for c in counts], "count_ignore": [int(c[0]) for c in counts],
        }
        boxes = [None if box is None else shapely.box(*box) for box in self.boxes]
        chips = geopandas.GeoDataFrame(table, geometry=boxes, index=self.ids, crs="EPSG:4326")
        stored = dict(zip(self.ids, zip(self.images, self.masks, strict=True), strict=True))
        split = InMemory(info, chips, {}, stored=stored).split(self.places[0], **self.split_options)
        return self.edit_split(split) if self.edit_split else split


def draw_split(draw):
    edit, draw.edit_split = draw.edit_split, None
    try:
        return draw.split()
    finally:
        draw.edit_split = edit
