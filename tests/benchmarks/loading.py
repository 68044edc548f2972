"""Chips a second from GeoTIFF to batches, beside a bare loop that reads the same files.

    python tests/benchmarks/loading.py [--chips 64] [--side 512] [--batch 8] [--repeats 5]

A chip is six bands of int16 and a mask. The bare loop opens each file with rasterio, reads it and
converts nothing; ours also makes reflectance, finds nodata, checks labels, flips and turns, and
stacks batches. Both take turns; of each the fastest turn counts. Files come from the page cache.
`cpu` is the processor time of all threads, which other load on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import rasterio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import HLS, write_chip
from workbench.data import Dataset
from workbench.training.loader import Loader

LAYOUTS = {
    "uncompressed": {},
    "deflate": {"compress": "deflate"},
    "deflate, tiled": {"compress": "deflate", "predictor": 2, "tiled": True},
}


def make_chips(folder: Path, chips: int, side: int, layout: dict) -> Dataset:
    for number in range(chips):
        paths = write_chip(folder, f"spain_{number}", number, epsg=32630, east=6e5 + 2e4 * number,
                           north=4e6, side=side)
        for path in paths:
            with rasterio.open(path) as file:
                pixels, profile = file.read(), file.profile
            with rasterio.open(path, "w", **{**profile, "blockxsize": 256, "blockysize": 256,
                                             **layout} if layout.get("tiled") else
                               {**profile, **layout}) as file:
                file.write(pixels)
    return Dataset.from_folder(
        str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
        classes=["land", "water"], region="spain", scale=1e-4,
    )


def bare(data: Dataset) -> tuple[float, float]:
    begun = stamp()
    for row in data.chips.itertuples():
        for path in (row.image, row.mask):
            with rasterio.open(path) as file:
                file.read()
    return since(begun, len(data))


def ours(data: Dataset, batch: int, epoch: int) -> tuple[float, float]:
    loader = Loader(data, batch, cache=False)
    begun = stamp()
    count = sum(len(entry.image) for entry in loader.shuffled(0, epoch, augmented=True))
    return since(begun, count)


def stamp() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(begun: tuple[float, float], chips: int) -> tuple[float, float]:
    """Return the wall and processor milliseconds of a chip."""
    wall, cpu = (1e3 * (now - then) / chips for now, then in zip(stamp(), begun, strict=True))
    return wall, cpu


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--chips", type=int, default=64)
    arguments.add_argument("--side", type=int, default=512)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--repeats", type=int, default=5)
    given = arguments.parse_args()
    print(f"{given.chips} chips of 6 x {given.side} x {given.side} int16 and a mask, batches of "
          f"{given.batch}, {os.cpu_count()} cores")
    for name, layout in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            data = make_chips(Path(folder), given.chips, given.side, layout)
            turns = [(bare(data), ours(data, given.batch, turn)) for turn in range(given.repeats)]
        (wall, cpu), (our_wall, our_cpu) = (
            tuple(min(turn[who][which] for turn in turns) for which in (0, 1)) for who in (0, 1)
        )
        print(f"{name:15} bare rasterio {1e3 / wall:6.1f} chips/s (cpu {cpu:5.1f} ms)   "
              f"loader {1e3 / our_wall:6.1f} chips/s (cpu {our_cpu:5.1f} ms)   "
              f"ratio {wall / our_wall:4.2f}")


if __name__ == "__main__":
    main()
