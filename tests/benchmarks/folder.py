"""Seconds to open a folder of small chips for the first time, and again.

    python tests/benchmarks/folder.py [--chips 2000] [--side 64]

Images of six bands and their masks are random numbers. The first opening reads every pixel; the
second compares names, sizes and times of all files with those of the index that was kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.data import Dataset

BANDS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]


def make_files(folder: Path, chips: int, side: int) -> None:
    """Write chips next to each other, dated back as if they had been there for an hour."""
    random = np.random.default_rng(0)
    then = time.time() - 3600
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number in range(chips):
        place = Affine(10, 0, 400_000 + 10 * side * (number % 50), 0, -10,
                       4_200_000 - 10 * side * (number // 50))
        for kind, bands, dtype, top in (("images", 6, "int16", 9000), ("masks", 1, "uint8", 2)):
            path = folder / kind / f"place{number % 4}_{number:05}.tif"
            with rasterio.open(path, "w", driver="GTiff", count=bands, height=side, width=side,
                               dtype=dtype, crs="EPSG:32630", transform=place) as file:
                file.write(random.integers(0, top, (bands, side, side)).astype(dtype))
            os.utime(path, (then, then))


def seconds(name: str, folder: Path) -> float:
    """Open the folder and print how long that took."""
    begin, busy = time.perf_counter(), time.process_time()
    data = Dataset.from_folder(folder / "images", folder / "masks", bands=BANDS,
                               classes=["land", "water"], region="{region}_{number}")
    took = time.perf_counter() - begin
    print(f"{name:<8}{took:>8.2f} s {time.process_time() - busy:>8.2f} s cpu {len(data):>7} chips")
    return took


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chips", type=int, default=2000)
    parser.add_argument("--side", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["WORKBENCH_CACHE"] = f"{place}/cache"
        data = Path(place) / "data"
        data.mkdir()
        make_files(data, given.chips, given.side)
        first = seconds("first", data)
        again = min(seconds("again", data) for _ in range(3))
        print(f"again in {again / first:.3f} of the first time")


if __name__ == "__main__":
    main()
