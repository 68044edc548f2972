"""From a click on a region to its layers: how long the comparison map takes, without a browser.

    python tests/benchmarks/compare_map.py runs/lora runs/full …

For every region of the runs' split: seconds from the click until both layers of its worst chip are
in the widgets, first with nothing known (models in memory, nothing predicted), then as a second
look at what was predicted before. What a browser adds is its drawing, a fifth of a second. On a
busy machine the processor's seconds tell more than the clock's.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time

import workbench as wb
from workbench.widgets.comparing import CompareMap


def click(panel: CompareMap, region: str) -> tuple[float, float]:
    """Return seconds by the clock and of the processor until both layers are painted."""
    panel._worker.plan(())
    panel.wait()
    begin, worked = time.perf_counter(), time.process_time()
    panel._chose_region(region)
    while panel._ground is None or panel._ground.attrs["chips"][0] != panel.value.chip:
        time.sleep(0.01)
    return time.perf_counter() - begin, time.process_time() - worked


def main(folders: list[str]) -> None:
    """Print the median and the worst of both."""
    runs = [wb.open_run(folder) for folder in folders]
    for run in runs:
        shutil.rmtree(run.folder / "predictions" / "chips", ignore_errors=True)
    panel = wb.compare_map(runs)
    panel._worker.plan(())
    panel.wait()
    regions = panel._atlas.regions
    for name in ("nothing known", "known"):
        panel._atlas._grounds.clear()
        if name == "nothing known":
            click(panel, regions[-1])
        clock, cpu = zip(*(click(panel, region) for region in regions[:-1]), strict=True)
        print(f"{name}: median {statistics.median(clock):.2f} s, longest {max(clock):.2f} s, "
              f"processor {statistics.median(cpu):.2f} s ({len(runs)} runs, {len(cpu)} regions)")


if __name__ == "__main__":
    main(sys.argv[1:])
