"""The run folder: made whole before the first step, described by what made it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.data import DatasetInfo, Split
from workbench.errors import RunExistsError
from workbench.events import RunImported
from workbench.recipe import AnyRecipe
from workbench.runs.journal import EVENTS, JournalWriter
from workbench.runs.lock import Lock
from workbench.storage import atomic_folder, read_json, write_json

RECIPE, SPLIT, ENVIRONMENT = "recipe.json", "split.json", "environment.json"
# What the worker process of `wb.launch` prints; mostly nothing.
OUTPUT = "output.txt"
# The packages whose version can change a number.
_PACKAGES = (
    "workbench", "torch", "numpy", "peft", "safetensors", "rasterio", "xarray", "pandas",
)  # fmt: skip


def create(folder: Path, recipe: AnyRecipe, split: Split,
           resolved: dict[str, Any]) -> None:
    """Make a run folder with its recipe, its split and the environment.

    Args:
        folder: Where; its name is the run's name.
        recipe: What to train.
        split: What to train on.
        resolved: What the recipe's open choices came to, stored beside what was given.

    Raises:
        RunExistsError: The folder is already there.
    """
    with _new(folder) as temporary:
        _describe(temporary, recipe, split.dataset.info, split.to_json(), resolved)


def create_locked(folder: Path, recipe: AnyRecipe, split: Split,
                  resolved: dict[str, Any]) -> Lock:
    """Make a run folder as `create` does; when it is there, its lock is held already.

    Nobody ever sees it without a writer, which would look like a run that was killed.

    Raises:
        RunExistsError: The folder is already there.
    """
    refuse_existing(folder)
    with atomic_folder(folder) as temporary:
        _describe(temporary, recipe, split.dataset.info, split.to_json(), resolved)
        lock = Lock.take(temporary)
    if not lock.moved(folder):  # somebody else was first, by an instant
        lock.hand_over()
        refuse_existing(folder)
    return lock


def complete(folder: Path, resolved: dict[str, Any]) -> None:
    """Add what the recipe's open choices came to, in a folder that was made without them."""
    data = read_json(folder / RECIPE)
    data["resolved"] |= resolved
    write_json(folder / RECIPE, data)
    write_json(folder / ENVIRONMENT, environment(data["resolved"].get("device")))


@contextlib.contextmanager
def create_imported(folder: Path, recipe: AnyRecipe, info: DatasetInfo, origin: str,
                    resolved: dict[str, Any]) -> Iterator[Path]:
    """Make the run folder of a model that was trained elsewhere; yields where to put the model.

    Args:
        folder: Where; its name is the run's name.
        recipe: What it was trained by, as far as that is known.
        info: What is known of the data: bands, classes, units.
        origin: Where the model comes from.
        resolved: As in `create`.

    Raises:
        RunExistsError: The folder is already there.
    """
    with _new(folder) as temporary:
        _describe(temporary, recipe, info, {"imported": origin}, resolved)
        with JournalWriter(temporary / EVENTS) as journal:
            journal.append(RunImported(origin=origin))
        yield temporary


@contextlib.contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """Yield what becomes a run folder, unless one is there, or comes before it is whole."""
    refuse_existing(folder)
    with atomic_folder(folder) as temporary:
        yield temporary
        made = os.stat(temporary)
    if not os.path.samestat(made, os.stat(folder)):
        refuse_existing(folder)


def _describe(folder: Path, recipe: AnyRecipe, info: DatasetInfo, split: dict[str, Any],
              resolved: dict[str, Any]) -> None:
    data = recipe.to_json()
    dataset = info.model_dump(mode="json")
    data["resolved"] = {**data["resolved"], **resolved, "dataset": dataset}
    write_json(folder / RECIPE, data)
    write_json(folder / SPLIT, split)
    write_json(folder / ENVIRONMENT, environment(resolved.get("device")))


def refuse_existing(folder: Path) -> None:
    """Raise RunExistsError when something stands at `folder`."""
    if os.path.lexists(folder):
        raise RunExistsError(
            f"The run folder {folder} is already there. Go on with it by wb.resume({str(folder)!r})"
            ", or give this run another name: wb.fit(…, name=…)."
        )


def environment(device: str | None) -> dict[str, Any]:
    """Return what a number may depend on besides recipe and data."""
    import torch

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "device": device,
        "accelerator": torch.cuda.get_device_name() if device and "cuda" in device else None,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
