"""The run folder: made whole before the first step, described by what made it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from workbench.data import Split
from workbench.errors import RunExistsError
from workbench.recipe import AnyRecipe
from workbench.storage import atomic_folder, write_json

RECIPE, SPLIT, ENVIRONMENT = "recipe.json", "split.json", "environment.json"
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
    refuse_existing(folder)
    with atomic_folder(folder) as temporary:
        data = recipe.to_json()
        dataset = split.dataset.info.model_dump(mode="json")
        data["resolved"] = {**data["resolved"], **resolved, "dataset": dataset}
        write_json(temporary / RECIPE, data)
        write_json(temporary / SPLIT, split.to_json())
        write_json(temporary / ENVIRONMENT, environment(resolved.get("device")))


def refuse_existing(folder: Path) -> None:
    """Raise RunExistsError when something stands at `folder`."""
    if folder.exists():
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
