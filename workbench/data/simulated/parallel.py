"""Work shared between processes that need nothing of the caller's `__main__`.

A pool of `multiprocessing` either forks, which copies the locks of the caller's threads (torch,
GDAL), or runs the caller's script again, which fails where the script is not guarded. A plain
child process does neither.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError


def num_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(module: str, arguments: list[str], num_jobs: int, workers: int) -> Iterator[Any]:
    """Run `python -m module arguments first step` in `workers` processes.

    Each does the jobs `first, first + step, …` and prints one line of JSON a job, as `serve` does.

    Yields:
        What the jobs printed, in the order of the jobs.

    Raises:
        WorkbenchError: A process ended early; what it said is in the message.
    """
    workers = min(workers, num_jobs)
    parent = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [parent, os.environ.get("PYTHONPATH")]))
    # The work is many small arrays: threads inside a process would only fight each other.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        processes = []
        for first in range(workers):
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments, str(first), str(workers)],
                stdout=subprocess.PIPE, stderr=said, text=True, env=environment,
            )  # fmt: skip
            stack.callback(_end, process)
            processes.append(process)
        for job in range(num_jobs):
            output = processes[job % workers].stdout
            assert output is not None, "asked for above"
            line = output.readline()
            if not line.endswith("\n"):
                said.seek(0)
                raise WorkbenchError(
                    f"A process of {module} ended before its work was done. It said: "
                    f"{said.read()[-2000:].strip() or 'nothing (killed, or out of memory)'}"
                )
            yield json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def serve(work: Callable[[int], Any], num_jobs: int, first: str, step: str) -> None:
    """Do every `step`-th job from `first` on and print each result as a line of JSON."""
    for job in range(int(first), num_jobs, int(step)):
        print(json.dumps(work(job)), flush=True)
