"""Write the simulated floods: eleven regions, twenty scenes each, two chips a scene."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.transform import array_bounds
from rasterio.warp import transform_bounds

from workbench.data.simulated.parallel import each, num_processors, serve
from workbench.data.simulated.regions import HELD_OUT, REGIONS
from workbench.data.simulated.scene import SimulatedScene, simulate_scene
from workbench.data.simulated.spectra import BANDS, NODATA, SCALE
from workbench.errors import DataError
from workbench.storage import atomic_folder, cache_dir, read_json

VERSION = 1
"""Raised whenever the same seed would give other pixels. Frozen by its acceptance figures."""

CHIP = 128
NUM_SCENES = 20
_CHIPS_PER_SCENE = 2
_INDEX = "chips.parquet"
_RECORD = "generation.json"


def simulated_root(seed: int = 0) -> Path:
    """Return the cache folder of the simulated floods of a seed; it need not exist yet."""
    return cache_dir() / "simulated-floods" / f"v{VERSION}-seed{seed}"


def is_complete(root: Path) -> bool:
    """Tell whether `root` holds a finished dataset of this version."""
    record = Path(root) / _RECORD
    if not (record.is_file() and (Path(root) / _INDEX).is_file()):
        return False
    return read_json(record).get("version") == VERSION


def scene_spots(region: str, seed: int) -> list[tuple[float, float]]:
    """Place a region's scenes: one lon/lat a scene, in cells that cannot overlap."""
    west, south, east, north = REGIONS[region].area
    rng = np.random.default_rng([seed, list(REGIONS).index(region), 1])
    tall = (north - south) / ((east - west) * np.cos(np.deg2rad((north + south) / 2)))
    # Scenes are twice as wide as tall, so cells may be too.
    columns = max(2, round(float(np.sqrt(NUM_SCENES / tall / 2)) + 0.5))
    rows = int(np.ceil(NUM_SCENES / columns)) + 1
    cells = np.sort(rng.permutation(columns * rows)[:NUM_SCENES])
    # The middle half of a cell keeps neighbours apart by half a cell at least.
    along, down = rng.uniform(0.25, 0.75, (2, NUM_SCENES))
    lon = west + (cells % columns + along) * (east - west) / columns
    lat = north - (cells // columns + down) * (north - south) / rows
    return [(float(x), float(y)) for x, y in zip(lon, lat, strict=True)]


def generate(
    root: Path,
    *,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Generate the dataset of 440 chips of 128 by 128 pixels, whole or not at all.

    `images/<chip_id>.tif` is int16 ``(6, 128, 128)``, reflectance times 10 000, nodata -9999;
    `masks/<chip_id>.tif` is int8 ``(128, 128)``, 1 water, 0 land, -1 no label (its nodata);
    `chips.parquet` is the index; `generation.json` says what was made and is written last.

    Args:
        root: Folder to make. A finished dataset of this version and seed is left as it is.
        seed: Version and seed fix every value, whatever the number of workers. The last digit may
            differ between processor families, whose arithmetic rounds differently.
        workers: Processes; none takes every processor this process may use, 0 stays in this one.
        progress: Called with the number of scenes done and in all.

    Returns:
        `root`.

    Raises:
        DataError: `root` holds something that was not generated.
    """
    root = Path(root)
    if is_complete(root) and read_json(root / _RECORD)["seed"] == seed:
        return root
    _refuse_foreign(root)
    try:
        _write(root, seed, workers, progress)
    except OSError:
        # Another process may have put the same dataset in place in the meantime.
        if not is_complete(root):
            raise
    return root


def _refuse_foreign(root: Path) -> None:
    """Protect a folder that holds something else: it would be replaced."""
    if not root.exists() or (root / _RECORD).is_file():
        return
    if not root.is_dir() or any(root.iterdir()):
        raise DataError(
            f"{root} is there already and was not made by this generator. Name a folder that is "
            "new or empty."
        )


def _write(
    root: Path, seed: int, workers: int | None, progress: Callable[[int, int], None] | None
) -> None:
    start = time.perf_counter()
    with atomic_folder(root, replace=root.exists()) as folder:
        (folder / "images").mkdir()
        (folder / "masks").mkdir()
        rows: list[dict[str, Any]] = []
        for done, scene_rows in enumerate(_each(folder, seed, workers), start=1):
            rows += scene_rows
            if progress is not None:
                progress(done, len(REGIONS) * NUM_SCENES)
        _write_index(folder, rows)
        record = _record(rows, seed, time.perf_counter() - start)
        (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _jobs(seed: int) -> list[tuple[str, int, tuple[float, float]]]:
    """List every scene: region, number within it, place."""
    return [(region, i, spot) for region in REGIONS
            for i, spot in enumerate(scene_spots(region, seed))]  # fmt: skip


def _each(folder: Path, seed: int, workers: int | None) -> Iterator[list[dict[str, Any]]]:
    """Write scene after scene, here or in other processes; yield their index rows in order."""
    workers = num_processors() if workers is None else workers
    jobs = _jobs(seed)
    if workers > 1:
        yield from each(__name__, [str(folder), str(seed)], len(jobs), workers)
    else:
        for job in jobs:
            yield _write_scene(folder, *job, seed)


def scene_of(region: str, index: int, seed: int) -> SimulatedScene:
    """Simulate the scene that `generate` cuts into a region's chips number 2i and 2i + 1."""
    return _simulate(region, index, scene_spots(region, seed)[index], seed)


def _simulate(
    region: str, index: int, spot: tuple[float, float], seed: int
) -> SimulatedScene:
    entropy = np.random.SeedSequence([seed, list(REGIONS).index(region), index])
    shape = (CHIP, CHIP * _CHIPS_PER_SCENE)
    return simulate_scene(REGIONS[region], seed=entropy, shape=shape, lonlat=spot)


def _write_scene(
    folder: Path, region: str, index: int, spot: tuple[float, float], seed: int
) -> list[dict[str, Any]]:
    scene = _simulate(region, index, spot, seed)
    cluster = f"{region}-{index:02d}"
    rows = []
    for part in range(_CHIPS_PER_SCENE):
        columns = slice(part * CHIP, (part + 1) * CHIP)
        image, mask = scene.image[:, :, columns], scene.mask[:, columns]
        corner = scene.transform
        transform = rasterio.Affine(
            corner.a, 0.0, corner.c + part * CHIP * corner.a, 0.0, corner.e, corner.f)
        chip = f"{cluster}-{'ab'[part]}"
        grid = {"crs": scene.crs, "transform": transform}
        write_chip(folder / "images" / f"{chip}.tif", folder / "masks" / f"{chip}.tif",
                   image, mask, scene.date, **grid)
        bounds = transform_bounds(
            scene.crs, "EPSG:4326", *array_bounds(CHIP, CHIP, transform), densify_pts=21)
        rows.append({
            "chip_id": chip, "image": f"images/{chip}.tif", "mask": f"masks/{chip}.tif",
            "region": region, "date": scene.date, "cluster": cluster,
            "crs": scene.crs.to_string(), "width": CHIP, "height": CHIP,
            "valid_fraction": float((image != NODATA).all(0).mean()),
            "count_0": int((mask == 0).sum()), "count_1": int((mask == 1).sum()),
            "count_ignore": int((mask == -1).sum()), "bounds": list(bounds),
        })
    return rows


def write_chip(
    image_path: Path, mask_path: Path, image: np.ndarray, mask: np.ndarray, date: str, **grid: Any
) -> None:
    """Write an image int16 ``(6, y, x)`` and its mask int8 ``(y, x)`` as compressed GeoTIFF."""
    height, width = mask.shape
    common = {"driver": "GTiff", "height": height, "width": width, "compress": "deflate", **grid}
    with rasterio.open(
        image_path, "w", count=len(BANDS), dtype="int16", nodata=NODATA, predictor=2,
        interleave="pixel", **common,
    ) as file:
        file.write(image)
        file.descriptions = BANDS
        file.scales = (1 / SCALE,) * len(BANDS)
        file.update_tags(DATE=date, SOURCE="simulated", UNITS="reflectance x 10000")
    with rasterio.open(mask_path, "w", count=1, dtype="int8", nodata=-1, **common) as file:
        file.write(mask, 1)
        file.set_band_description(1, "water")
        file.update_tags(DATE=date, SOURCE="simulated", CLASSES="0 land, 1 water, -1 no label")


def _write_index(folder: Path, rows: list[dict[str, Any]]) -> None:
    footprints = [shapely.box(*row["bounds"]) for row in rows]
    columns = [{k: v for k, v in row.items() if k != "bounds"} for row in rows]
    frame = gpd.GeoDataFrame(columns, geometry=footprints, crs="EPSG:4326")
    frame.to_parquet(folder / _INDEX, index=False)


def _record(rows: list[dict[str, Any]], seed: int, seconds: float) -> dict[str, Any]:
    def share(kind: str, region: str | None = None) -> float:
        chosen = [r for r in rows if region in (None, r["region"])]
        total = sum(r["width"] * r["height"] for r in chosen)
        return round(sum(r[kind] for r in chosen) / total, 4)

    return {
        "version": VERSION, "seed": seed, "simulated": True, "bands": list(BANDS),
        "num_chips": len(rows), "num_scenes": len({r["cluster"] for r in rows}),
        "regions": list(REGIONS), "held_out": HELD_OUT, "chip_px": CHIP, "gsd_m": 30.0,
        "water_share": share("count_1"), "unlabelled_share": share("count_ignore"),
        "water_share_by_region": {name: share("count_1", name) for name in REGIONS},
        "seconds": round(seconds, 1),
    }


def _main(folder: str, seed: str, first: str, step: str) -> None:
    jobs = _jobs(int(seed))
    serve(lambda i: _write_scene(Path(folder), *jobs[i], int(seed)), len(jobs), first, step)


if __name__ == "__main__":
    _main(*sys.argv[1:])
