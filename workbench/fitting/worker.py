"""The process behind `wb.launch`: `python -m workbench.fitting.worker FOLDER …`."""

from __future__ import annotations

import argparse
import faulthandler
import signal
from pathlib import Path

import torch

from workbench.errors import WorkbenchError
from workbench.estimation import advise, auto_batch
from workbench.fitting.scoring import scored
from workbench.runs import Run
from workbench.runs.lock import Lock
from workbench.training import Control, work


def main() -> None:
    """Train the run folder that `launch` made, holding the lock that it took."""
    faulthandler.enable()  # a crash of a library leaves its traces in the output
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--lock", type=int, required=True, help="descriptor of the open lock")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train_and_score(Run(given.folder), Lock.inherited(given.folder, given.lock), given.device)


def train_and_score(run: Run, lock: Lock, device: str) -> None:
    """Do what `wb.fit` does; whoever waits for the run waits until the lock is free."""
    control = Control()
    # A machine that shuts down, or a batch system whose time is up, asks before it kills.
    signal.signal(signal.SIGTERM, lambda *_: control.stop("its process was asked to end"))
    try:
        for _ in work(run, device=device, lock=lock, control=control, advise=advise,
                      auto_batch=auto_batch):
            pass
        scored(run, device)
    except WorkbenchError as error:
        raise SystemExit(str(error)) from error  # the run has told it already
    finally:
        lock.release()


if __name__ == "__main__":
    main()
