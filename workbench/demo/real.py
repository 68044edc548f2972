"""The demo on a real chip with a real backbone; both come over the network, once."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rioxarray
import xarray as xr

from workbench.catalog import Collection, open_catalog
from workbench.catalog.fetching import download
from workbench.data import Dataset
from workbench.demo.scene import SCENE
from workbench.demo.subject import Subject, Words
from workbench.errors import DownloadError, WeightsError
from workbench.models import hub
from workbench.models.backbones import BACKBONES
from workbench.storage import atomic_folder

BACKBONE = "prithvi_eo_v2_tiny_tl"
COLLECTION = "sen1floods11"
EVENT, CHIP = "Spain", "Spain_7370579"
# A strip of 16 pixels between them is left out: what the chips of one see, no chip of the other.
HALVES = {"west": slice(0, 248), "east": slice(264, 512)}
CHIP_SIZE = 64
IMAGE, LABEL = "S2Hand", "LabelHand"
WORDS = Words(
    kind="one real chip",
    minutes="About ten minutes on two cores.",
    caution="All of it is one image: this shows the job on real pixels, and ranks no methods.",
    intervals="bootstrap over chips of 64 × 64 pixels of one image. Such neighbours are alike, so "
              "the bars are too short; they say nothing about other places. Where bars of two runs "
              "overlap, only the paired verdicts above say whether they differ.",
    scene_title="The whole east half",
    scene="The east half of the chip in one piece, which no run was trained on",
    scene_caution="Against the hand-drawn label the prediction reaches {score} mIoU, clouds and "
                  "unlabelled pixels left out. One scene is an illustration, not a measurement.",
    origin=(
        ("Real:", "the pixels, the label and the weights. Sen1Floods11's chip Spain_7370579, "
         "Sentinel-2 at the top of the atmosphere (L1C), labelled by hand, and Prithvi-EO-2.0 "
         "tiny-TL, pre-trained on Harmonized Landsat Sentinel-2 surface reflectance: it meets "
         "another processing level here, as it often does in practice."),
        ("Small:", "one chip of 512 × 512 pixels. Its west half trains, a strip of 16 pixels is "
         "left out, its east half is held out. That is the same flood, sensor, day and weather: "
         "a far easier test than another place."),
        ("Next:", "the whole dataset has eleven flood events to hold out: "
         "wb.download(\"sen1floods11\"), then wb.load(\"sen1floods11\")."),
    ),
)  # fmt: skip


def real() -> Subject:
    """Return the real chip, fine-tuning Prithvi-EO-2.0-tiny-TL, as a subject."""
    return Subject(
        hold_out="east", place="the east half", backbone=BACKBONE,
        # Some 20 chips of training: five steps an epoch.
        epochs=20, folder="workbench-demo-real",
        data_stage="A real chip and a real backbone (downloaded once)",
        open=lambda folder, progress: _ready(folder), make_scene=_east,
        code="from workbench.demo import real_chip\n\n"
             'floods = real_chip(".")                            # a west and an east half',
        words=WORDS, made_by={"data": CHIP},
    )  # fmt: skip


def real_chip(folder: str | Path) -> Dataset:
    """Download Sen1Floods11's sample chip and open its west and its east half as regions.

    Args:
        folder: Where the download and the halves are written, once.

    Returns:
        Chips of 64 × 64 pixels with the six bands of HLS, in the regions `west` and `east`.

    Raises:
        DownloadError: The chip's server cannot be reached.
    """
    entry = open_catalog()[COLLECTION]
    halves = Path(folder) / "halves"
    if not halves.is_dir():
        sample = download(entry, Path(folder) / "sample", sample=True)
        _cut(sample, entry, halves)
    event = next(place for place in entry.places if place.source_name == EVENT)
    chips = Dataset.from_folder(
        str(halves / f"*_{IMAGE}.tif"), str(halves / f"*_{LABEL}.tif"),
        bands=[band.name for band in entry.bands],
        classes={kind.value: (kind.name, kind.color) for kind in entry.classes},
        region=f"{{region}}_{IMAGE}", date=event.start, chip_size=CHIP_SIZE, scale=entry.scale,
        offset=entry.offset, no_label=entry.no_label, name=CHIP,
    )  # fmt: skip
    return chips.with_bands(BACKBONES[BACKBONE].bands)


def _ready(folder: Path) -> Dataset:
    """Bring the weights and the chip, or say at once what is needed."""
    source = BACKBONES[BACKBONE].source
    assert source is not None
    try:
        hub.download(source)
        return real_chip(folder)
    except (WeightsError, DownloadError) as error:
        assets = open_catalog()[COLLECTION].assets.values()
        hosts = dict.fromkeys(urlsplit(asset.href).hostname for asset in assets
                              if "sample" in asset.roles)
        raise DownloadError(
            "The demo on real data needs a network once: for a chip of Sen1Floods11 from "
            f"{', '.join(map(str, hosts))}, and for the weights {source} from the Hugging Face "
            f"hub. {error} Once connected, the same command goes on. Without a network, workbench "
            "demo does the same job on simulated floods."
        ) from error


def _cut(sample: Path, entry: Collection, halves: Path) -> None:
    """Write both halves of image and label, with the names of the bands."""
    names = tuple(band.name for band in entry.bands)
    with atomic_folder(halves) as temporary:
        for kind, asset in ((IMAGE, "sample-s2"), (LABEL, "sample-labels")):
            with _opened(sample / entry.assets[asset].path) as chip:
                named = chip.assign_attrs(long_name=names if kind == IMAGE else "label")
                for half, columns in HALVES.items():
                    named.isel(x=columns).rio.to_raster(temporary / f"{half}_{kind}.tif")


def _east(folder: Path, dataset: Dataset) -> np.ndarray:
    halves = folder / "halves"
    shutil.copyfile(halves / f"east_{IMAGE}.tif", folder / SCENE)
    with _opened(halves / f"east_{LABEL}.tif") as label:
        return label.values[0].astype(np.int64)


def _opened(path: Path) -> xr.DataArray:
    raster = rioxarray.open_rasterio(path)
    assert isinstance(raster, xr.DataArray)
    return raster
