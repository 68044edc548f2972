"""The folder of a new run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workbench.errors import RunError
from workbench.recipe import AnyRecipe, require_recipe
from workbench.runs import refuse_existing

# File systems take 255 bytes; a folder that is being made has a longer name than its own.
_LONGEST = 200


def new_folder(root: str | Path, name: str | None, recipe: AnyRecipe) -> Path:
    """Return the folder of this name, without one the first that is free: lora, lora-2, ….

    Raises:
        RecipeError: What it is named after is no recipe.
        RunExistsError: A run of that name is there already.
        RunError: The name is no plain folder name, or no folder can be made there.
    """
    require_recipe(recipe)
    root = _writable(root)
    if name is None:
        base = recipe.name
        numbered = (base if count == 1 else f"{base}-{count}" for count in range(1, sys.maxsize))
        return next(root / free for free in numbered if not (root / free).exists())
    if not isinstance(name, str) or not name or name != Path(name).name or name.startswith("."):
        raise RunError(f"name={name!r} is not a plain folder name; the place goes into root=….")
    if len(os.fsencode(name)) > _LONGEST:
        raise RunError(f"name={name[:40]!r}… is longer than {_LONGEST} bytes; give a shorter one.")
    refuse_existing(root / name)
    return root / name


def _writable(root: str | Path) -> Path:
    if not isinstance(root, (str, Path)):
        raise RunError(f"root={root!r} is no folder; runs are kept below one, such as root='runs'.")
    path = Path(root)
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise RunError(f"root={str(root)!r} is no folder: {there} is a file.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RunError(f"root={str(root)!r}: {there} is not yours to write to. Choose another "
                       "folder, or change its permissions.")
    return path
