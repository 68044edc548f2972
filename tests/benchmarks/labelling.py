"""From the first label to the first map, and from then on round by round.

    python tests/benchmarks/labelling.py

A simulated scene of 512 x 512 pixels, `workbench_tiny`, no features in the cache, a fresh process.
Ten labels of two classes are there; the clock starts when the last of them is drawn and stops when
the map is a layer that a browser can show. Four rounds of ten more labels follow, put where the map
was wrong, as people do. The parts are told apart, and so is the time of the processor, which a busy
machine does not change much; the mIoU against the scene's truth stands beside, so that speed is not
bought with a useless map.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

FIRST_S, LATER_S = 20.0, 5.0


def main() -> None:
    """Print a line for each round, and whether it was quick enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    import workbench as wb
    from workbench.demo.scene import LABEL, SCENE, make_scene

    floods = wb.load("simulated-floods")
    with tempfile.TemporaryDirectory() as folder:
        make_scene(folder, floods)
        # Only now: the floods stay where they were generated.
        os.environ["WORKBENCH_CACHE"] = str(Path(folder) / "cache")
        os.environ["WORKBENCH_FEATURES_GB"] = "1"
        measure(Path(folder) / SCENE, Path(folder) / LABEL, given.rounds)


def measure(scene: Path, label: Path, rounds: int) -> None:
    """Label, train and map round after round."""
    import numpy as np
    import rasterio
    import torch

    import workbench as wb
    from workbench import metrics
    from workbench.labelling import LabelProbe
    from workbench.plots.webmap import class_overlay

    with rasterio.open(label) as file:
        truth = file.read(1)
    labels = wb.Labels(scene, ["land", "water"])
    random = np.random.default_rng(0)
    draw(labels, truth == 0, "land", 5, random)
    draw(labels, truth == 1, "water", 5, random)
    print(f"{torch.get_num_threads()} threads · {truth.shape[0]} x {truth.shape[1]} pixels")
    probe = None
    for number in range(rounds + 1):
        begun, spent = time.perf_counter(), time.process_time()
        probe = probe or LabelProbe(labels, device="cpu")
        ready = time.perf_counter()
        model = probe.fit()
        fitted = time.perf_counter()
        found = probe.predict(model)
        grid = labels.imagery
        class_overlay(found["class"].values, grid.raster.transform, grid.crs, ["#000", "#fff"])
        ended = time.perf_counter()
        predicted, known = found["class"].values, (truth >= 0) & (found["class"].values < 255)
        counts = np.bincount(truth[known] * 2 + predicted[known], minlength=4).reshape(2, 2)
        most = LATER_S if number else FIRST_S
        print(f"round {number}: {ended - begun:5.2f} s (model {ready - begun:.2f}, head "
              f"{fitted - ready:.2f}, map {ended - fitted:.2f}; processor "
              f"{time.process_time() - spent:.2f} s) · {len(labels)} labels · "
              f"mIoU {100 * float(metrics.miou(counts)):.1f} · "
              f"{'within' if ended - begun < most else 'OVER'} {most:g} s")
        draw(labels, (truth == 0) & (predicted == 1), "land", 6, random)
        draw(labels, (truth == 1) & (predicted == 0), "water", 4, random)


def draw(labels, where, name, number, random) -> None:
    """Click on pixels chosen by chance."""
    import numpy as np
    import shapely

    places = np.argwhere(where)
    for row, col in places[random.permutation(len(places))[:number]]:
        place = labels.imagery.raster.transform @ (col + 0.5, row + 0.5)
        labels.add(name, shapely.Point(*place), crs=labels.imagery.crs)


if __name__ == "__main__":
    main()
