"""A dataset from GeoTIFF pairs in folders."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
from rasterio.crs import CRS

from workbench.data.bands import find
from workbench.data.dates import DateSpec, dates_to_json, find_dates, write_dates
from workbench.data.files import FileSpec, find_files, pair_files, scene_names
from workbench.data.index import Scene, index_scenes, values_in_masks
from workbench.data.info import Classes, ClassInfo, DatasetInfo, parse_bands, parse_classes
from workbench.data.kept import Index, KeptIndex
from workbench.data.raster import Raster, check_same_grid, describe
from workbench.data.regions import (
    ACROSS,
    OUTSIDE,
    RegionSpec,
    parse_regions,
    regions_to_json,
    scene_regions,
)
from workbench.errors import BandError, DataError, LabelError

# A scene larger than this is not taken for one chip unasked.
_LARGEST_CHIP = 1024


class ChipWarning(UserWarning):
    """Some chips among many are left out; the message counts them and says why."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What holds for all files, as people give it; the arguments of `Dataset.from_folder`."""

    bands: Sequence[str | None]
    classes: Classes | None
    chip_size: int | None
    scale: float
    offset: float
    nodata: float | None
    no_label: tuple[int, ...]
    name: str | None
    frames: int = 1

    def asked(self, source: Mapping[str, Any]) -> str:
        """Return in one way, however it was written, what is asked of the files of a source."""
        classes = None if self.classes is None else parse_classes(self.classes)
        return repr((dict(source), dataclasses.replace(self, bands=parse_bands(self.bands),
                                                       classes=None), classes))


def index_folder(images: FileSpec, masks: FileSpec, facts: Facts, *, region: RegionSpec,
                 date: DateSpec) -> Index:
    """Return facts, index and what was left out; the arguments are `Dataset.from_folder`'s."""
    image_files, mask_files = find_files(images, "images"), find_files(masks, "masks")
    rule = parse_regions(region)
    source = {
        "kind": "folder",
        "images": _spec_to_json(images),
        "masks": _spec_to_json(masks),
        "region": regions_to_json(rule),
        **({} if date is None else {"date": dates_to_json(date)}),
    }
    kept, asked = KeptIndex([*image_files, *mask_files]), facts.asked(source)
    if (found := kept.read(asked)) is not None:
        _, chips, skipped = found
        _tell(skipped, len(chips), facts, stacklevel=4)
        return found
    pairs, unpaired = pair_files(image_files, mask_files)
    files = [image for image, _ in pairs]
    scenes, bad = open_scenes(pairs, scene_names(files), scene_regions(rule, files))
    bad |= {image.stem: f"no mask: {image} has none of the same name" for image in unpaired}
    polygons = rule if isinstance(rule, geopandas.GeoDataFrame) else None
    info, chips, skipped = index_opened(scenes, bad, facts, source, polygons)
    if date is not None:
        write_dates(chips, [find_dates(date, path, facts.frames) for path in chips["image"]])
    # As people asked, and as a split asks when it opens its data again.
    named = dict(zip(info.class_values, info.classes, strict=True))
    again = dataclasses.replace(facts, bands=info.stored_bands, classes=named)
    for question in {asked, again.asked(source)}:
        kept.write(question, (info, chips, skipped))
    return info, chips, skipped


def index_opened(scenes: Sequence[Scene], bad: dict[str, str], facts: Facts,
                 source: Mapping[str, Any], polygons: geopandas.GeoDataFrame | None = None,
                 reader: str = "geotiff") -> Index:
    """Return facts, index and what was left out of images that are open.

    Args:
        scenes: Those that can be used.
        bad: Those that cannot, with the reason.
        facts: What holds for all.
        source: How to open them again, but for `facts`, which are added.
        polygons: Regions of chips, where no name decides them.
        reader: Which layout the files are in.
    """
    _need_one(scenes, bad)
    if not math.isfinite(facts.scale) or not facts.scale or not math.isfinite(facts.offset):
        raise DataError(f"scale={facts.scale!r} and offset={facts.offset!r} turn stored values "
                        "into physical units: they are numbers, and scale is not 0.")
    stored_bands = _stored_bands(scenes, parse_bands(facts.bands), facts.frames)
    if facts.classes is None:
        classes, values = _classes_found(scenes, facts.no_label)
    else:
        classes, values = parse_classes(facts.classes)
    named = {str(value): [entry.name, entry.color]
             for value, entry in zip(values, classes, strict=True)}
    given = dataclasses.asdict(facts) | {
        "bands": list(stored_bands), "classes": named, "no_label": list(facts.no_label)
    }
    if facts.frames == 1 or reader == "zarr":  # a store says it itself
        del given["frames"]
    info = DatasetInfo(
        name=facts.name or Path(scenes[0].image.path).parent.name,
        bands=tuple(band for band in stored_bands if band is not None),
        classes=classes,
        scale=facts.scale,
        offset=facts.offset,
        nodata=facts.nodata,
        no_label=facts.no_label,
        gsd_m=_gsd_m(scenes[0].image),
        source={**source, **given},
        stored_bands=stored_bands,
        class_values=values,
        num_frames=facts.frames,
        chip_shape=_chip_shape(scenes, facts.chip_size),
        reader=reader,
    )
    chips, bad_chips, outside = index_scenes(scenes, info, polygons)
    skipped = bad | bad_chips | outside
    _need_one(chips, skipped)
    _tell(skipped, len(chips), facts, stacklevel=5)
    return info, chips, skipped


def _spec_to_json(spec: FileSpec) -> Any:
    if isinstance(spec, (str, Path)):
        return str(Path(spec).expanduser().absolute())
    return [_spec_to_json(entry) for entry in spec]


def open_scenes(pairs: Sequence[tuple[Path, Path]], names: Sequence[str],
                regions: Sequence[str | None]) -> tuple[list[Scene], dict[str, str]]:
    """Return the images that can be opened, and of the others the reason.

    Raises:
        GridError: An image and its mask differ in shape, CRS or position.
        LabelError: A mask has several bands.
    """
    scenes: list[Scene] = []
    bad: dict[str, str] = {}
    for (image, mask), name, region in zip(pairs, names, regions, strict=True):
        if not mask.is_file():
            bad[name] = f"no mask: {image} has none at {mask}"
            continue
        try:
            scene = Scene(name, describe(image), describe(mask), region)
        except DataError as error:
            bad[name] = f"unreadable: {error}"
            continue
        check_same_grid(scene.image, scene.mask)
        if scene.mask.count != 1:
            raise LabelError(
                f"{mask} has {scene.mask.count} bands; a mask has one, with a class index in each "
                "pixel. A coloured picture of classes must be turned into indices first."
            )
        scenes.append(scene)
    return scenes, bad


def _need_one(found: Sequence[object] | geopandas.GeoDataFrame, skipped: dict[str, str]) -> None:
    if not len(found):
        chip, reason = next(iter(skipped.items()))
        raise DataError(
            f"None of {len(skipped)} chips can be used ({count_kinds(skipped)}). "
            f"The first, {chip}: {reason}"
        )


def _tell(skipped: dict[str, str], used: int, facts: Facts, *, stacklevel: int) -> None:
    """Warn of chips that cannot be used; those outside of polygons were not meant to be."""
    bad = {chip: reason for chip, reason in skipped.items() if reason not in (ACROSS, OUTSIDE)}
    # A scene that is labelled in places, cut into chips, has chips without a label: no news.
    told = {chip: reason for chip, reason in bad.items()
            if facts.chip_size is None or not reason.startswith("no label:")}
    if not told:
        return
    chip, reason = next(iter(told.items()))
    warnings.warn(
        f"{len(told)} of {used + len(bad)} chips are left out ({count_kinds(told)}); "
        f"dataset.skipped lists them. The first, {chip}: {reason}",
        ChipWarning,
        stacklevel=stacklevel,
    )


def count_kinds(skipped: dict[str, str]) -> str:
    """Return how many chips were left out for each kind of reason: `2 unreadable, 1 no mask`."""
    kinds = Counter(reason.partition(":")[0] for reason in skipped.values())
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _stored_bands(scenes: Sequence[Scene], bands: tuple[str | None, ...], frames: int
                  ) -> tuple[str | None, ...]:
    """Check that every file has these bands in this order, as far as files tell."""
    if not isinstance(frames, int) or frames < 1:
        raise DataError(f"frames={frames!r} is no whole number from 1 on, the dates of every file.")
    first = scenes[0].image
    said = [find(text) if text else None for text in first.descriptions[: first.count // frames]]
    if first.count != frames * len(bands) and None not in bands and set(bands) <= set(said):
        bands = tuple(band if band in bands else None for band in said)
    for scene in scenes:
        image = scene.image
        if image.count != frames * len(bands):
            raise _wrong_count(image, len(bands), frames)
        for place, text in enumerate(image.descriptions):
            told, meant = find(text) if text else None, bands[place % len(bands)]
            if told and told in bands and meant not in (None, told):
                raise BandError(
                    f"{image.path} calls its band {place + 1} {text!r} ({told}), bands= calls it "
                    f"{meant}. Name the bands in the order of the files"
                    + (", all those of the first date before those of the second" * (frames > 1))
                    + f": {', '.join(str(text) for text in image.descriptions)}."
                )
    return bands


def _wrong_count(image: Raster, bands: int, frames: int) -> BandError:
    named = [text for text in image.descriptions if text]
    found = f"{image.path} has {image.count} bands" + (f" ({', '.join(named)})" if named else "")
    if frames > 1:
        return BandError(
            f"{found}; expected {frames * bands}, {frames} frames of the {bands} that bands= "
            "names. Name every band of one date in the order of the files, None for one that is "
            "not used, and say with frames= how many dates follow each other."
        )
    stack = image.count // bands if bands and image.count % bands == 0 else 0
    return BandError(
        f"{found}, bands= names {bands}. Name every band of the files in their order, and None "
        "for one that is not used." + (f" If they hold {stack} dates, one after the other, pass "
                                       f"frames={stack}." if stack > 1 else "")
    )


def _classes_found(scenes: Sequence[Scene], no_label: Sequence[int]
                   ) -> tuple[tuple[ClassInfo, ...], tuple[int, ...]]:
    values = values_in_masks(scenes, no_label)
    if len(values) < 2:
        raise LabelError(
            f"The masks ({scenes[0].mask.path}, …) hold only {values or 'no-label values'}; pass "
            "classes=, for example classes=['land', 'water']."
        )
    return parse_classes({value: f"class_{value}" for value in values})


def _chip_shape(scenes: Sequence[Scene], chip_size: int | None) -> tuple[int, int]:
    if chip_size is not None:
        if not isinstance(chip_size, int):
            raise DataError(f"chip_size={chip_size!r} is no whole number of pixels.")
        if chip_size < 8:
            raise DataError(f"chip_size={chip_size} is below 8 pixels; 64 to 512 is usual.")
        return chip_size, chip_size
    shapes = sorted({(scene.image.height, scene.image.width) for scene in scenes})
    if len(shapes) > 1:
        shown = ", ".join(f"{height} × {width}" for height, width in shapes[:3])
        raise DataError(
            f"The images differ in size ({shown}{', …' if len(shapes) > 3 else ''}); pass "
            "chip_size=, for example chip_size=224, to cut them into chips of one size."
        )
    if max(shapes[0]) > _LARGEST_CHIP:
        raise DataError(
            f"{scenes[0].image.path} has {shapes[0][0]} × {shapes[0][1]} pixels, too many for one "
            "chip; pass chip_size=, for example chip_size=224. Chips are read lazily."
        )
    return shapes[0]


def _gsd_m(image: Raster) -> float | None:
    if image.crs is None or not image.georeferenced:
        return None
    a, b, _, d, e, north = image.transform[:6]
    side = math.sqrt(abs(a * e - b * d))
    crs = CRS.from_user_input(image.crs)
    if crs.is_projected:
        return round(side * crs.linear_units_factor[1], 3)
    # Geometric mean of both sides; one degree of latitude is 111.32 km.
    latitude = math.radians(north + e * image.height / 2)
    return round(side * 111_320 * math.sqrt(max(math.cos(latitude), 0)), 2)
