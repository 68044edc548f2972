"""Small datasets in exactly the layouts that the readers know, for tests."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import rasterio
from affine import Affine

BANDS_12 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
_KEYS = ("01 - Coastal aerosol", "02 - Blue", "03 - Green", "04 - Red",
         "05 - Vegetation Red Edge", "06 - Vegetation Red Edge", "07 - Vegetation Red Edge",
         "08 - NIR", "08A - Vegetation Red Edge", "09 - Water vapour", "11 - SWIR",
         "12 - SWIR")  # fmt: skip


def tif(path: Path, pixels, *, crs="EPSG:4326", at=(0.0, 0.0), pixel=1e-4, nodata=None) -> None:
    pixels = np.atleast_3d(pixels) if pixels.ndim == 3 else pixels[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], dtype=pixels.dtype, crs=crs, nodata=nodata,
        transform=Affine(pixel, 0, at[0], 0, -pixel, at[1]),
    ) as file:  # fmt: skip
        file.write(pixels)


def _label(rng, side, values=(-1, 0, 1)):
    mask = rng.choice(values, (side, side)).astype(np.int16)
    mask.flat[:3] = values[0], values[-1], values[-2]
    return mask


def sen1floods11(root: Path, chips=("Ghana_1", "Ghana_2", "Mekong_7", "Bolivia_3"), side=16):
    rng = np.random.default_rng(0)
    top = root / "v1.1/data/flood_events/HandLabeled"
    for number, chip in enumerate(chips):
        at = (number * 1.0, 10.0)
        stored = rng.integers(100, 4000, (13, side, side)).astype(np.int16)
        tif(top / f"S2Hand/{chip}_S2Hand.tif", stored, at=at)
        radar = rng.normal(-12, 3, (2, side, side)).astype(np.float32)
        tif(top / f"S1Hand/{chip}_S1Hand.tif", radar, at=at)
        tif(top / f"LabelHand/{chip}_LabelHand.tif", _label(rng, side), at=at)
    lists = root / "v1.1/splits/flood_handlabeled"
    lists.mkdir(parents=True, exist_ok=True)
    for part, chip in zip(("train", "valid", "test", "bolivia"), chips, strict=False):
        (lists / f"flood_{part}_data.csv").write_text(f"{chip}_S1Hand.tif,{chip}_LabelHand.tif\n")
    return root


def burn_scars(root: Path, names=("T10SEH.2018190", "T11SKU.2020300"), side=16):
    rng = np.random.default_rng(1)
    for name, folder in zip(names, ("training", "validation"), strict=False):
        stem = root / folder / f"subsetted_512x512_HLS.S30.{name}.v1.4"
        image = rng.uniform(0.01, 0.4, (6, side, side)).astype(np.float32)
        image[:, 0, 0] = -9999
        tif(Path(f"{stem}_merged.tif"), image, crs="EPSG:32610", pixel=30, at=(5e5, 4.3e6),
            nodata=-9999)
        tif(Path(f"{stem}.mask.tif"), _label(rng, side), crs="EPSG:32610", pixel=30,
            at=(5e5, 4.3e6))  # fmt: skip
    return root


def bigearthnet(root: Path, patches, *, codes=(112, 312, 999), countries=None):
    rng = np.random.default_rng(2)
    for patch in patches:
        scene = patch.rsplit("_", 2)[0]
        for band in BANDS_12:
            pixel = 60 if band in ("B01", "B09") else 10 if band in ("B02", "B03", "B04", "B08") \
                else 20
            side = 1200 // pixel
            layer = rng.integers(100, 4000, (side, side)).astype(np.uint16)
            tif(root / f"BigEarthNet-S2/{scene}/{patch}/{patch}_{band}.tif", layer,
                crs="EPSG:32633", pixel=pixel, at=(3e5, 5.3e6))
        labels = rng.choice(codes, (120, 120)).astype(np.uint16)
        tif(root / f"Reference_Maps/{scene}/{patch}/{patch}_reference_map.tif", labels,
            crs="EPSG:32633", pixel=10, at=(3e5, 5.3e6))
    if countries:
        table = pd.DataFrame({"patch_id": list(countries), "country": list(countries.values())})
        table.to_parquet(root / "metadata.parquet")
    return root


def geo_bench(root: Path, folder="m-cashew-plant", chips=("a", "b", "c"), side=16,
              date="2019-11-05"):
    rng = np.random.default_rng(3)
    (root / folder).mkdir(parents=True, exist_ok=True)
    for chip in chips:
        with h5py.File(root / folder / f"{chip}.hdf5", "w") as file:
            for number, key in enumerate(_KEYS):
                file[f"{key}_{date}"] = np.full((side, side), number * 100 + 100, np.int16)
            file[f"Cloud Probability_{date}"] = np.zeros((side, side))
            file["label"] = rng.integers(0, 7, (side, side))
            # The real files hold a pickle here; whoever opened it would run this.
            file.attrs["pickle"] = "(cos\nsystem\n(S'touch /tmp/workbench-was-here'\ntR."
    parts = dict(zip(("train", "valid", "test"), ([chip] for chip in chips), strict=False))
    (root / folder / "default_partition.json").write_text(json.dumps(parts))
    return root
