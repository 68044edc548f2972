"""Simulated chips in memory, and the faults that are planted into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import geopandas
import numpy as np
import shapely
from scipy import ndimage

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


FAULTS: dict[str, tuple[tuple[str, str], Callable[[Draw], None]]] = {}


def fault(name, check, words=""):
    """Register a fault with the check that must find it and words that it must use."""

    def register(plant):
        FAULTS[name] = ((check, words), plant)
        return plant

    return register


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


@fault("band constant", "band values", "everywhere")
def _(draw):
    band, value = draw.random.integers(6), draw.random.integers(0, 3000)

    def plant(image, _):
        image[band] = value
        return image
    draw.every_image(plant)


@fault("band copied", "band values", "hold the same values")
def _(draw):
    one, other = draw.random.permutation(6)[:2]

    def plant(image, _):
        image[one] = image[other]
        return image
    draw.every_image(plant)


@fault("scale forgotten", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1.0


@fault("scale applied twice", "band values", "too dark for reflectance")
def _(draw):
    draw.options["scale"] = 1e-8


@fault("divided by 255", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1 / 255


@fault("bytes as reflectance", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.every_image(lambda image, _: np.clip(image / draw.random.uniform(12, 20), 1, 255))
    draw.options["scale"] = 1.0


@fault("per cent as reflectance", "band values", "reflectance is 0 to 1")
def _(draw):
    draw.options["scale"] = 1e-2


@fault("one place in other units", "drift", "other units")
def _(draw):
    factor = draw.random.choice([1 / 10_000, 1 / 255, 1 / 100, 100])
    draw.every_image(lambda image, _: image * factor, draw.of_one_place)


@fault("held-out place brighter", "drift", "as bright as train")
def _(draw):
    factor = draw.random.uniform(2.2, 4)
    held = [n for n, chip in enumerate(draw.chips) if chip.place == draw.places[0]]
    draw.every_image(lambda image, _: image * factor, held)


@fault("offset of 1000 kept", "offset", "offset of 1000")
def _(draw):
    draw.every_image(lambda image, _: image + 1000)


@fault("L1C for L2A", "processing level", "L1C")
def _(draw):
    path = np.array([0.085, 0.052, 0.028, 0.008, 0.001, 0]) * draw.random.uniform(0.85, 1.15) * 1e4
    through = np.array([0.80, 0.86, 0.91, 0.95, 0.97, 0.98])[:, None, None]
    draw.every_image(lambda image, _: image * through + path[:, None, None])


def _fill(name, value, labelled, check="nodata as data"):
    @fault(name, check, "trained as a class" if labelled else "missing data")
    def plant(draw):
        draw.options["nodata"] = None
        for number in draw.random.permutation(len(draw.images))[: draw.random.integers(5, 15)]:
            edge = int(draw.random.integers(6, 40))
            draw.images[number] = draw.images[number].copy()
            draw.images[number][:, :, :edge] = value
            draw.masks[number] = draw.masks[number].copy()
            draw.masks[number][:, :edge] = 0 if labelled else -1
        for number, image in enumerate(draw.images):
            gone = (image == NODATA).all(0)
            draw.images[number] = np.where(gone, value, image)


_fill("-9999 as data", -9999, labelled=False)
_fill("0 as data", 0, labelled=False)
_fill("-32768 as data", -32768, labelled=False)
_fill("0 as data and class 0", 0, labelled=True)
_fill("-9999 as data and class 0", -9999, labelled=True)


@fault("negative band", "band values", "are negative")
def _(draw):
    band, offset = draw.random.integers(6), draw.random.uniform(1500, 4000)

    def plant(image, _):
        image[band] -= offset
        return image
    draw.every_image(plant)


def _shift(name, low, high, everywhere=True):
    @fault(name, "label position", "look shifted")
    def plant(draw):
        size, angle = draw.random.uniform(low, high), draw.random.uniform(0, 2 * np.pi)
        away = (size * np.sin(angle), size * np.cos(angle))

        def move(mask, _):
            water = ndimage.shift((mask == 1).astype(float), away, order=1, mode="nearest") > 0.5
            none = ndimage.shift((mask < 0).astype(float), away, order=1, mode="nearest") > 0.5
            return np.where(none, -1, water).astype(np.int8)
        draw.every_mask(move, None if everywhere else draw.of_one_place)


@fault("labels shifted by half a pixel", "label position", "look shifted")
def _(draw):
    def move(mask, _):
        water = ndimage.shift((mask == 1).astype(float), (0.5, 0.5), order=1, mode="nearest") > 0.5
        return np.where(mask < 0, -1, water).astype(np.int8)
    draw.every_mask(move)


_shift("labels shifted by a pixel", 0.9, 1.5)
_shift("labels shifted by some pixels", 2, 6)
_shift("labels of one place shifted", 2, 5, everywhere=False)


@fault("labels shifted by one chip", "label position", "shifted by one chip")
def _(draw):
    step = int(draw.random.choice([-1, 1]))
    masks = list(draw.masks)
    draw.every_mask(lambda _, n: masks[(n + step) % len(masks)])


@fault("labels upside down", "label position", "upside down")
def _(draw):
    draw.every_mask(lambda mask, _: mask[::-1])


@fault("labels mirrored", "label position", "mirrored")
def _(draw):
    draw.every_mask(lambda mask, _: mask[:, ::-1])


@fault("label rows and columns exchanged", "label position", "rows and columns exchanged")
def _(draw):
    draw.every_mask(lambda mask, _: mask.T)


@fault("labels of one place exchanged", "label values", "look exchanged")
def _(draw):
    draw.every_mask(lambda mask, _: np.where(mask < 0, -1, 1 - mask).astype(np.int8),
                    draw.of_one_place)


@fault("labels of many chips missing", "label values", "may be missing")
def _(draw):
    wet = [n for n, mask in enumerate(draw.masks) if (mask == 1).mean() > 0.25]
    draw.every_mask(lambda mask, _: np.where(mask < 0, -1, 0).astype(np.int8),
                    wet[:: 2] if len(wet) > 16 else wet[: max(6, len(wet) * 2 // 3)])


@fault("most pixels unlabelled", "empty labels", "less than")
def _(draw):
    def plant(mask, _):
        mask = np.full_like(mask, -1)
        mask[:2, :4] = np.arange(4) % 2
        return mask
    chosen = draw.random.permutation(len(draw.masks))[: int(len(draw.masks) * 0.4)]
    draw.every_mask(plant, chosen)


@fault("class missing from train", "classes", "train has no pixel of water")
def _(draw):
    def plant(split):
        dry = [chip for chip in split.parts["train"] if not split.dataset.chips["count_1"][chip]]
        return dataclasses.replace(split, parts={**split.parts, "train": tuple(dry)})
    for number in range(0, len(draw.masks), 5):
        draw.masks[number] = np.where(draw.masks[number] == 1, -1, 0).astype(np.int8)
    draw.edit_split = plant


@fault("class missing from val", "classes", "val has no pixel of water")
def _(draw):
    split = draw.split()
    for number, chip in enumerate(draw.ids):
        if chip in split.parts["val"]:
            draw.masks[number] = np.where(draw.masks[number] == 1, -1, 0).astype(np.int8)
    draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


def draw_split(draw):
    edit, draw.edit_split = draw.edit_split, None
    try:
        return draw.split()
    finally:
        draw.edit_split = edit


def _copy(name, words, change):
    @fault(name, "duplicates", words)
    def plant(draw):
        split = draw.split()
        train = [n for n, chip in enumerate(draw.ids) if chip in split.parts["train"]]
        test = [n for n, chip in enumerate(draw.ids) if chip in split.parts["test"]]
        told = [n for n in train if np.std(draw.images[n][3]) > 150]
        for one, other in zip(draw.random.permutation(told)[:3], test, strict=False):
            draw.images[other] = change(draw.random, draw.images[one])
            draw.masks[other] = draw.masks[one]
        draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


def _resampled(random, image):
    away = (0, *random.uniform(-0.5, 0.5, 2))
    gone = (image == NODATA).all(0)
    moved = ndimage.shift(image.astype(float), away, order=1, mode="nearest")
    return np.where(gone, NODATA, moved)


_copy("chips copied across parts", "under different names", lambda _, image: image.copy())
_copy("chips copied with noise", "look like copies",
      lambda random, image: np.where(image == NODATA, NODATA,
                                     image + random.normal(0, 40, image.shape)))
_copy("chips copied, resampled", "look like copies", _resampled)
_copy("chips copied, turned", "look like copies",
      lambda _, image: np.rot90(image, 1, (1, 2)) + 1)
_copy("chips copied, brightened", "look like copies",
      lambda random, image: np.where(image == NODATA, NODATA, image * random.uniform(1.05, 1.3)))


@fault("footprints overlap across parts", "overlaps", "show the same ground")
def _(draw):
    split = draw.split()
    train, test = split.parts["train"], split.parts["test"]
    for one, other in zip(train[:3], test[:3], strict=True):
        west, south, east, north = draw.boxes[draw.ids.index(one)]
        move = draw.random.uniform(0.1, 0.7) * (east - west)
        draw.boxes[draw.ids.index(other)] = (west + move, south, east + move, north)
    draw.edit_split = lambda _: dataclasses.replace(draw_split(draw), parts=split.parts)


@fault("scene torn between parts", "clusters", "in more than one part")
def _(draw):
    def plant(split):
        train = split.parts["train"]
        return dataclasses.replace(split, parts={
            **split.parts, "train": train[1:], "test": (*split.parts["test"], train[0])})
    draw.edit_split = plant


@fault("neighbours face each other", "neighbours", "touch a train chip")
def _(draw):
    draw.clusters = list(draw.ids)


@fault("tile in two parts", "tiles", "MGRS tile")
def _(draw):
    draw.ids = [f"HLS.S30.T{10 + n % 9}SEH.{n:03d}" for n in range(len(draw.ids))]
    draw.clusters = list(draw.ids)
    draw.boxes = [None] * len(draw.ids)


@fault("coordinates of another CRS", "position", "outside the globe")
def _(draw):
    draw.boxes = [(500_000.0 + n, 4e6, 501_000.0 + n, 4.1e6) for n in range(len(draw.boxes))]


@fault("latitude and longitude exchanged", "position", "look exchanged")
def _(draw):
    draw.collection = "simulated-floods"
    draw.boxes = [(s, w, n, e) for w, s, e, n in draw.boxes]
    draw.crs = ["EPSG:4326"] * len(draw.crs)


@fault("latitude and longitude of some exchanged", "position", "look exchanged")
def _(draw):
    draw.crs = ["EPSG:4326"] * len(draw.crs)
    for number in draw.of_one_place[::4]:
        west, south, east, north = draw.boxes[number]
        draw.boxes[number] = (south, west, north, east)


@fault("UTM zone of some wrong", "position", "CRS")
def _(draw):
    away = 6 * int(draw.random.choice([-2, -1, 1, 2]))
    for number in draw.of_one_place[::4]:
        west, south, east, north = draw.boxes[number]
        draw.boxes[number] = (west + away, south, east + away, north)
    draw.crs = ["EPSG:3857"] * len(draw.crs)


@fault("CRS not that of the coordinates", "position", "UTM zone")
def _(draw):
    draw.crs = ["EPSG:32701" if "327" in crs else "EPSG:32601" for crs in draw.crs]


@fault("no position", "position", "no position")
def _(draw):
    for number in draw.random.permutation(len(draw.boxes))[:9]:
        draw.boxes[number] = None


def named(name, chips_by_place, seed):
    """Return whether a planted fault is found by its check in its words, and all that was told."""
    (check, words), plant = FAULTS[name]
    draw = Draw(chips_by_place, seed)
    plant(draw)
    told = [entry for entry in draw.split().audit().findings if entry.level != "ok"]
    return any(entry.check == check and words in str(entry) for entry in told), told


# What a clean draw may be told: its four places are small, and differ in how much water they have.
EXPECTED = {"regions", "class balance", "classes", "left out", "neighbours", "events"}


def alarms(chips_by_place, seed):
    """Return what is told of a clean draw beyond its size."""
    audit = Draw(chips_by_place, seed).split().audit()
    return [entry for entry in audit.findings
            if entry.level != "ok" and entry.check not in EXPECTED]


_prepared: dict = {}


def prepare(names, seed, elsewhere):
    """Make the places once in a process that draws."""
    _prepared.update(pool(names, seed, elsewhere))


def is_named(name, seed):
    return named(name, _prepared, seed)[0]


def first_alarms(seed):
    return [finding.check for finding in alarms(_prepared, seed)[:1]]
