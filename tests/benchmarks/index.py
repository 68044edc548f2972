"""Seconds to open a dataset of 50 000 chips that was indexed before, and to choose among them.

    python tests/benchmarks/index.py [--chips 50000] [--profile]

The files are empty and have the names and the layout of Sen1Floods11; the index over them is
written by the same code as after reading real chips, with made-up footprints and pixel counts: of
simulated chips, that is. Opening lists the folders, compares every file's size and time with the
index, and reads no pixel. Beside it stands what any reader of GeoParquet needs for the same table.
Each is done five times; the fastest counts, the first is said where it differs. `cpu` is processor
time, which other load on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.catalog import open_catalog
from workbench.data import Dataset, load, sources, store

TURNS = 5
CHIP_M, GSD_M = 5120, 10


def make_files(root: Path, chips: int) -> None:
    """Write empty images and labels of chips of eleven events."""
    assets = open_catalog()["sen1floods11"].assets
    images, labels = (root / assets[name].path for name in ("s2", "labels"))
    events = [place.source_name for place in open_catalog()["sen1floods11"].places]
    for folder in (images, labels):
        folder.mkdir(parents=True)
    for number in range(chips):
        chip = f"{events[number % len(events)]}_{number:07}"
        (images / f"{chip}_S2Hand.tif").touch()
        (labels / f"{chip}_LabelHand.tif").touch()


def write_index(root: Path) -> None:
    """Write the index that reading the chips would have left."""
    entry = open_catalog()["sen1floods11"]
    info = sources._info(entry, entry.bands, {}, (512, 512))
    found = sources.READERS["sen1floods11"].scan(root, entry)
    places = {place.region: place for place in entry.places}
    random = np.random.default_rng(0)
    start = len(str(root)) + 1
    rows = []
    for (chip_id, stamp), chip in zip(store._stamps(root, found), found, strict=True):
        west, south, east, north = places[chip.region].bbox or (0, 0, 1, 1)
        water = int(random.integers(0, 512 * 512))
        side = CHIP_M / 111_320 / 512
        rows.append({
            "chip_id": chip_id, "stamp": stamp, "reason": None, "image": chip.image[start:],
            "mask": chip.mask[start:], "col_off": 0, "row_off": 0, "width": 512, "height": 512,
            "region": chip.region, "cluster": chip.cluster, "date": chip.date, "split": chip.split,
            "crs": "EPSG:4326", "a": side, "b": 0.0, "c": random.uniform(west, east), "d": 0.0,
            "e": -side, "f": random.uniform(south, north), "valid_fraction": 1.0,
            "count_0": 512 * 512 - water, "count_1": water, "count_ignore": 0,
        })  # fmt: skip
    path = store.index_path(root, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = store.geopandas.GeoDataFrame(store.pd.DataFrame(rows).set_index("chip_id"))
    shapes = store.footprints(table, table[list("abcdef")].to_numpy())
    chips = geopandas.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326")
    store.write_chips(path, chips, store._facts(info))


def seconds(name: str, work: Callable[[], Any]) -> Any:
    """Print the least time of several turns; return what the work gave."""
    took, cpu = [], []
    for _ in range(TURNS):
        begin, busy = time.perf_counter(), time.process_time()
        given = work()
        took.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - busy)
    first = f"  (first {took[0]:.3f})" if took[0] > 1.5 * min(took) else ""
    count = f"{len(given):>8}" if hasattr(given, "__len__") else " " * 8
    print(f"{name:<44}{min(took):>8.3f} s {min(cpu):>7.3f} s cpu{count} rows{first}", flush=True)
    return given


def measure(root: Path) -> None:
    path = store.index_path(root, None)
    data: Dataset = seconds("open: wb.load", lambda: load("sen1floods11", root=root))
    seconds("  of which GeoParquet alone", lambda: geopandas.read_parquet(path))
    ghana = open_catalog()["sen1floods11"].regions["ghana"]
    west, south, east, north = ghana.bbox or (0, 0, 1, 1)
    box = (west, south, (west + east) / 2, north)
    seconds("select(within=box)", lambda: data.select(within=box))
    seconds('select(date="2018-09")', lambda: data.select(date=ghana.date[:7]))
    seconds('select(region="ghana")', lambda: data.select(region="ghana"))
    seconds('select(holds="water")', lambda: data.select(holds="water"))
    seconds("all four", lambda: data.select(within=box, date=ghana.date[:7], region="ghana",
                                            holds="water"))
    seconds("repr", lambda: repr(data) and data)
    seconds('split(hold_out=["ghana"])', lambda: data.split(hold_out=["ghana"]).dataset)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chips", type=int, default=50_000)
    options.add_argument("--profile", action="store_true", help="say where opening spends its time")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_files(root, asked.chips)
        begin = time.perf_counter()
        write_index(root)
        print(f"index of {asked.chips} chips written in {time.perf_counter() - begin:.1f} s, "
              f"{store.index_path(root, None).stat().st_size / 1e6:.1f} MB")
        measure(root)
        if asked.profile:
            profile = cProfile.Profile()
            profile.runcall(load, "sen1floods11", root=root)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


if __name__ == "__main__":
    main()
