"""Chips a second from GeoTIFF to batches, beside TerraTorch and a bare loop over the same files.

    python tests/benchmarks/loading.py [--peer ~/terratorch/bin/python] [--chips 64] [--side 512]

A chip is six bands of int16 and a mask. The bare loop opens each file with rasterio, reads it and
converts nothing; ours also makes reflectance, finds nodata, checks labels, flips and turns, and
stacks batches. The peer, in an environment of its own (see step_time.py), does the same but for
the checks, in one process a core. All take turns; of each the fastest turn counts. Files come from
the page cache. `cpu` is the processor time of all threads and processes of a chip, which other load
on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import rasterio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import HLS, write_chip
from workbench.data import Dataset
from workbench.training.loader import Loader

WORKER = Path(__file__).with_name("loading_worker.py")
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


class Peer:
    """TerraTorch's loader in a process of its own; a context, at whose end the process is gone."""

    def __init__(self, python: str, folder: str, batch: int) -> None:
        self._process = subprocess.Popen(
            [python, str(WORKER), folder, str(batch)], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )  # fmt: skip
        if self._process.stdout.readline() != "ready\n":
            sys.exit(f"The peer ended early; run it alone to see why: {self._process.args}")

    def epoch(self) -> tuple[float, float]:
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return tuple(json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def stamp() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(begun: tuple[float, float], chips: int) -> tuple[float, float]:
    """Return the wall and processor milliseconds of a chip."""
    wall, cpu = (1e3 * (now - then) / chips for now, then in zip(stamp(), begun, strict=True))
    return wall, cpu


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peer", default=os.environ.get("TERRATORCH_PYTHON"),
                           help="Python with TerraTorch; by default $TERRATORCH_PYTHON.")
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
            started = Peer(given.peer, folder, given.batch) if given.peer else nullcontext()
            with started as peer:
                turns = [(bare(data), ours(data, given.batch, turn),
                          peer.epoch() if peer else (math.nan, math.nan))
                         for turn in range(given.repeats)]
        reading, loader, other = (
            [min(turn[who][which] for turn in turns) for which in (0, 1)] for who in range(3)
        )
        print(f"{name:15} {shown('bare rasterio', reading)} {shown('TerraTorch', other)} "
              f"{shown('ours', loader)} ratio to rasterio {reading[0] / loader[0]:4.2f}, to "
              f"TerraTorch {other[0] / loader[0]:4.2f} (cpu {other[1] / loader[1]:4.2f})")


def shown(who: str, took: list[float]) -> str:
    return f"{who} {1e3 / took[0]:6.1f} chips/s (cpu {took[1]:5.1f} ms)  "


if __name__ == "__main__":
    main()
