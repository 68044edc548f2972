"""The folder of a new run."""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.errors import RunError
from workbench.runs import refuse_existing


def new_folder(root: Path, name: str | None, base: str) -> Path:
    """Return the folder of this name, or without one the first that is free: base, base-2, ….

    Raises:
        RunExistsError: A run of that name is there already.
        RunError: The name is no plain folder name.
    """
    if name is None:
        numbered = (base if count == 1 else f"{base}-{count}" for count in range(1, sys.maxsize))
        return next(root / free for free in numbered if not (root / free).exists())
    if not name or name != Path(name).name or name.startswith("."):
        raise RunError(f"name={name!r} is not a plain folder name; the place goes into root=….")
    refuse_existing(root / name)
    return root / name
