"""How long starting takes: `import workbench` beside `import numpy`, and `workbench --help`.

Run `python tests/benchmarks/import_time.py`; medians of several fresh processes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(*command: str, repeats: int = 9) -> float:
    """Return the median wall time of a command in a fresh process, the first run left out."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    bare = seconds("-c", "import numpy")
    ours = seconds("-c", "import workbench")
    shown = seconds("-m", "workbench", "--help")
    print(f"import numpy {bare:.3f} s · import workbench {ours:.3f} s ({ours - bare:+.3f} s)")
    print(f"workbench --help {shown:.3f} s")
