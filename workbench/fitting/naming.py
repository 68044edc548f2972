"""The folder of a new run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from workbench.errors import RunError, RunExistsError
from workbench.recipe import AnyRecipe, require_recipe
from workbench.runs import refuse_existing

# File systems take 255 bytes; a folder that is being made has a longer name than its own.
_LONGEST = 200
T = TypeVar("T")


def in_new_folder(root: str | Path, name: str | None, recipe: AnyRecipe,
                  begin: Callable[[Path], T]) -> tuple[Path, T]:
    """Return a new run's folder and what `begin` makes of it.

    It has the name given; without one the first that is free: lora, lora-2, ….

    Raises:
        RecipeError: What it is named after is no recipe.
        RunExistsError: A run of that name is there already.
        RunError: The name is no plain folder name, or no folder can be made there.
    """
    while True:
        folder = _new_folder(root, name, recipe)
        try:
            return folder, begin(folder)
        except RunExistsError:
            if name is not None:
                raise
            # Another process took the free name meanwhile, as jobs do that start together.


def _new_folder(root: str | Path, name: str | None, recipe: AnyRecipe) -> Path:
    require_recipe(recipe)
    root = _writable(root)
    if name is None:
        base = recipe.name
        numbered = (base if count == 1 else f"{base}-{count}" for count in range(1, sys.maxsize))
        return next(root / free for free in numbered if not os.path.lexists(root / free))
    plain = isinstance(name, str) and name.isprintable() and name == Path(name).name
    if not plain or not name.strip() or name.startswith("."):
        raise RunError(f"name={name!r} is not a plain folder name; the place goes into root=….")
    if len(os.fsencode(name)) > _LONGEST:
        raise RunError(f"name={name[:40]!r}… is longer than {_LONGEST} bytes; give a shorter one.")
    refuse_existing(root / name)
    return root / name


def _writable(root: str | Path) -> Path:
    if not isinstance(root, (str, Path)):
        raise RunError(f"root={root!r} is no folder; runs are kept below one, such as root='runs'.")
    path = Path(root)
    there = next(place for place in (path.absolute(), *path.absolute().parents)
                 if os.path.lexists(place))
    if not there.is_dir():
        what = "a link to what is not there" if there.is_symlink() else "a file"
        raise RunError(f"root={str(root)!r} is no folder: {there} is {what}.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RunError(f"root={str(root)!r}: {there} is not yours to write to. Choose another "
                       "folder, or change its permissions.")
    return path
