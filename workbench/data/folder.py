"""A dataset from GeoTIFF pairs in folders."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas

from workbench.data.bands import find
from workbench.data.files import FileSpec, find_files, pair_files, scene_names
from workbench.data.index import Scene, index_scenes, values_in_masks
from workbench.data.info import Classes, ClassInfo, DatasetInfo, parse_bands, parse_classes
from workbench.data.raster import Raster, check_same_grid, describe
from workbench.data.regions import RegionSpec, parse_regions, regions_to_json, scene_regions
from workbench.errors import BandError, DataError, LabelError

# A scene larger than this is not taken for one chip unasked.
_LARGEST_CHIP = 1024


class ChipWarning(UserWarning):
    """Some chips among many are left out; the message counts them and says why."""


Index = tuple[DatasetInfo, geopandas.GeoDataFrame, dict[str, str]]


def index_folder(images: FileSpec, masks: FileSpec, *, bands: Sequence[str | None],
                 classes: Classes | None, region: RegionSpec, chip_size: int | None,
                 scale: float, offset: float, nodata: float | None, no_label: Sequence[int],
                 name: str | None) -> Index:
    """Return facts, index and what was left out; the arguments are `Dataset.from_folder`'s."""
    image_files, mask_files = find_files(images, "images"), find_files(masks, "masks")
    pairs, unpaired = pair_files(image_files, mask_files)
    rule = parse_regions(region)
    scenes, skipped = _open_scenes(pairs, rule)
    skipped |= {image.name: "no mask of the same name" for image in unpaired}
    _need_one(scenes, skipped)
    stored_bands = _stored_bands(scenes, parse_bands(bands))
    if classes is None:
        parsed, values = _classes_found(scenes, no_label)
    else:
        parsed, values = parse_classes(classes)
    info = DatasetInfo(
        name=name or Path(scenes[0].image.path).parent.name,
        bands=tuple(band for band in stored_bands if band is not None),
        classes=parsed,
        scale=scale,
        offset=offset,
        nodata=nodata,
        no_label=tuple(no_label),
        gsd_m=_gsd_m(scenes[0].image),
        source={
            "kind": "folder",
            "images": _spec_to_json(images),
            "masks": _spec_to_json(masks),
            "bands": list(stored_bands),
            "classes": {
                str(value): [entry.name, entry.color]
                for value, entry in zip(values, parsed, strict=True)
            },
            "region": regions_to_json(rule),
            "chip_size": chip_size,
            "scale": scale,
            "offset": offset,
            "nodata": nodata,
            "no_label": list(no_label),
            "name": name,
        },
        stored_bands=stored_bands,
        class_values=values,
        chip_shape=_chip_shape(scenes, chip_size),
    )
    polygons = rule if isinstance(rule, geopandas.GeoDataFrame) else None
    chips, left_out = index_scenes(scenes, info, polygons)
    skipped |= left_out
    _need_one(chips, skipped)
    _warn(skipped, len(chips))
    return info, chips, skipped


def _spec_to_json(spec: FileSpec) -> Any:
    if isinstance(spec, (str, Path)):
        return str(Path(spec).expanduser().absolute())
    return [_spec_to_json(entry) for entry in spec]


def _open_scenes(pairs: Sequence[tuple[Path, Path]], rule: RegionSpec
                 ) -> tuple[list[Scene], dict[str, str]]:
    images = [image for image, _ in pairs]
    names, regions = scene_names(images), scene_regions(rule, images)
    scenes: list[Scene] = []
    skipped: dict[str, str] = {}
    for (image, mask), name, region in zip(pairs, names, regions, strict=True):
        try:
            scene = Scene(name, describe(image), describe(mask), region)
        except DataError as error:
            skipped[name] = str(error)
            continue
        check_same_grid(scene.image, scene.mask)
        if scene.mask.count != 1:
            raise LabelError(
                f"{mask} has {scene.mask.count} bands; a mask has one, with a class index in each "
                "pixel. A coloured picture of classes must be turned into indices first."
            )
        scenes.append(scene)
    return scenes, skipped


def _need_one(found: Sequence[object] | geopandas.GeoDataFrame, skipped: dict[str, str]) -> None:
    if len(found):
        return
    chip, reason = next(iter(skipped.items()))
    raise DataError(f"None of {len(skipped)} chips can be used. The first, {chip}: {reason}")


def _warn(skipped: dict[str, str], kept: int) -> None:
    bad = {chip: reason for chip, reason in skipped.items() if "region" not in reason}
    if bad:
        chip, reason = next(iter(bad.items()))
        warnings.warn(
            f"{len(bad)} of {kept + len(skipped)} chips are left out; dataset.skipped lists them "
            f"with their reasons. The first, {chip}: {reason}",
            ChipWarning,
            stacklevel=4,
        )


def _stored_bands(scenes: Sequence[Scene], bands: tuple[str | None, ...]
                  ) -> tuple[str | None, ...]:
    """Check that every file has these bands in this order, as far as files tell."""
    first = scenes[0].image
    said = [find(text) if text else None for text in first.descriptions]
    if first.count != len(bands) and None not in bands and set(bands) <= set(said):
        bands = tuple(band if band in bands else None for band in said)
    for scene in scenes:
        image = scene.image
        if image.count != len(bands):
            named = [text for text in image.descriptions if text]
            raise BandError(
                f"{image.path} has {image.count} bands"
                + (f" ({', '.join(named)})" if named else "")
                + f", bands= names {len(bands)}. Name every band of the files in their order, and "
                "None for one that is not used."
            )
        for place, text in enumerate(image.descriptions):
            told = find(text) if text else None
            if told and told in bands and bands[place] not in (None, told):
                raise BandError(
                    f"{image.path} calls its band {place + 1} {text!r} ({told}), bands= calls it "
                    f"{bands[place]}. Name the bands in the order of the files: "
                    f"{', '.join(str(text) for text in image.descriptions)}."
                )
    return bands


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
    if not image.crs:
        return None
    pixel = (abs(image.transform.a * image.transform.e - image.transform.b * image.transform.d))
    side = math.sqrt(pixel)
    if _is_projected(image.crs):
        return round(side, 3)
    # One degree of latitude is 111.32 km.
    latitude = image.transform.f + image.transform.e * image.height / 2
    return round(side * 111_320 * math.sqrt(math.cos(math.radians(latitude))), 2)


def _is_projected(crs: str) -> bool:
    from rasterio.crs import CRS

    return bool(CRS.from_user_input(crs).is_projected)
