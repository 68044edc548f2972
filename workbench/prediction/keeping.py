"""Where a prediction is kept: small ones in memory, large ones as blocks on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from workbench.assembly import Model
from workbench.data.dates import dates_to_json
from workbench.prediction.job import Job, Options, Progress
from workbench.prediction.many import Planned
from workbench.prediction.needs import PredictionWarning, Source
from workbench.prediction.result import NODATA
from workbench.prediction.store import Store, bytes_a_pixel, known_plan
from workbench.storage import cache_dir

# Beyond this a result takes more memory than predicting it does.
_IN_MEMORY_BYTES = 64_000_000
# Raised whenever blocks mean something else.
_VERSION = 2


def predicted(job: Job, options: Options, store: str | Path | None,
              progress: Progress | None) -> xr.Dataset:
    """Predict a source, going on with what is in its store.

    Raises:
        DataError: The store holds another prediction.
        OutOfSpaceError: The disk has no room.
    """
    job = replace(job, stamp=planned(job, options).stamp)
    runs, height, width = job.shape
    nbytes = runs * height * width * bytes_a_pixel(job.names)
    if store is None and nbytes <= _IN_MEMORY_BYTES:
        found = job.in_memory(progress)
        _warn_of_nothing(job, [found["class"].values])
        return found
    plan = _plan(job, options, known=store is not None)
    folder = Path(store) if store is not None else _folder(job, plan)
    job, plan = _as_begun(job, plan, folder)
    blocks = [block for panel in job.blocks for block in panel]
    kept = Store(folder, plan, job.names, job.shape, blocks)
    with kept.lock(), _bar(progress) as shown:
        job.run(kept, shown)
    _warn_of_nothing(job, (kept.read(block, "class") for block in blocks))
    found = job.dataset(kept.arrays)
    found.encoding["source"] = str(kept.folder)
    return found


def planned(job: Job, options: Options) -> Planned:
    """Return what a prediction takes; no pixel is read."""
    known = job.source.stamp is not None and job.trained.identity is not None
    return Planned(job.num_windows, _key(_plan(job, options, known=True)) if known else None)


def _warn_of_nothing(job: Job, classes: Iterable[npt.NDArray]) -> None:
    if not any((part != NODATA).any() for part in classes):
        warnings.warn(f"No pixel of {job.source.name} has a value in all bands that the model "
                      f"needs ({', '.join(job.trained.needs.bands)}): the prediction is all "
                      "nodata. Do its bands cover the same ground?", PredictionWarning,
                      stacklevel=5)


def _as_begun(job: Job, plan: dict[str, Any], folder: Path | None) -> tuple[Job, dict[str, Any]]:
    """Return the job in the panels of what is in its folder: another device may have begun it."""
    begun = None if folder is None else known_plan(folder)
    panel = plan["panel"] if begun is None else begun.get("panel", plan["panel"])
    return replace(job, tiling=replace(job.tiling, panel=panel)), {**plan, "panel": panel}


def _plan(job: Job, options: Options, *, known: bool) -> dict[str, Any]:
    """Return what decides the pixels of a prediction, as plain data."""
    grid, tiling = job.source.grid, job.tiling
    return {
        "version": _VERSION, "source": job.source.name,
        "pixels of the source": _identity(job.source) if known or job.source.lasting
        else None,
        "grid": [grid.height, grid.width, grid.crs.to_wkt(), *grid.transform[:6]],
        "runs": job.trained.names or job.trained.facts.get("run"),
        "weights": job.trained.identity or (_hash(job.trained.models) if known else None),
        "window": tiling.window, "overlap": tiling.overlap,
        "panel": tiling.panel, "entropy": job.entropy, "scale": options.scale,
        "bands": None if options.bands is None else list(options.bands),
        "date": options.date if options.date is None else dates_to_json(options.date),
        "gsd": options.gsd,
    }


def _identity(source: Source) -> Any:
    """Return what changes when a source does: its stamp, else a hash of pixels here and there."""
    if source.stamp is not None:
        return source.stamp
    digest = hashlib.sha256()
    height, width = source.grid.height, source.grid.width
    rows, columns = min(height, 32), min(width, 32)
    for share in (0, 0.5, 1):
        top, left = int(share * (height - rows)), int(share * (width - columns))
        digest.update(np.ascontiguousarray(source.read(top, left, rows, columns)).tobytes())
    return digest.hexdigest()


def _hash(models: Sequence[Model]) -> str:
    digest = hashlib.sha256()
    for tensor in (tensor for model in models for tensor in model.state_dict().values()):
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _folder(job: Job, plan: dict[str, Any]) -> Path | None:
    """Return where the blocks lie by default; None where nobody could find them again."""
    if plan["pixels of the source"] is None or job.trained.identity is None:
        return None
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(job.source.name).stem)[:60]
    home = job.trained.folder
    if home is None or not os.access(home, os.W_OK):
        home = cache_dir()
    return home / "predictions" / "scenes" / f"{name}-{_key(plan)}"


def _key(plan: dict[str, Any]) -> str:
    # How it is cut follows from the device, which may be another one next time.
    facts = {name: value for name, value in plan.items() if name != "panel"}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _bar(progress: Progress | None) -> Iterator[Progress]:
    """Show windows done, of how many, and the time left, unless something else does."""
    if progress is not None:
        yield progress
        return
    from tqdm.auto import tqdm

    with contextlib.ExitStack() as shown:
        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:  # what is done already was not done in this time
                bar = shown.enter_context(tqdm(total=total, initial=done, unit=" windows",
                                               desc="predict", delay=1))
            bar.update(done - bar.n)

        yield show
