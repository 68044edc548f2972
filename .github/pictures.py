"""Draw the README's pictures from a demo's runs: `python .github/pictures.py workbench-demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import workbench as wb

PICTURES = Path(__file__).parent / "pictures"


def main(demo: Path) -> None:
    """Write the pictures of the demo in the folder `demo`."""
    PICTURES.mkdir(exist_ok=True)
    order = ["lora", "full", "linear-probe", "unet-scratch", "mndwi-tuned"]
    runs = [wb.open_run(demo / "runs" / name) for name in order]
    wb.plot(wb.compare(runs), "regions").savefig(PICTURES / "regions.png", dpi=110)
    wb.plot(runs[:4], "chips", count=4).savefig(PICTURES / "chips.png", dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
