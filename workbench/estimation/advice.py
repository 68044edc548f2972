"""What to do when the memory was full."""

from __future__ import annotations

import torch

from workbench.estimation import remedies as what_fits
from workbench.estimation.forecast import Forecast
from workbench.estimation.showing import PARTS
from workbench.recipe import Recipe
from workbench.reprs import readable_bytes
from workbench.runs import Run


def advise(run: Run) -> str:
    """Return what a run that found no memory needs, and which changes of its recipe need less.

    Follows operations only: nothing is tried in a memory that is full.
    """
    recipe = run.recipe
    assert isinstance(recipe, Recipe)
    size = run.resolved.get("batch_size", recipe.batch_size)
    recipe = recipe.but(batch_size=size)
    with Forecast(run.split, torch.device(run.resolved["device"])) as forecast:
        memory = forecast.memory(recipe)
        found = what_fits.remedies(forecast, recipe)
        room = forecast.room
    first = (
        f"The memory is full: with {size} chips at once this recipe takes about "
        f"{readable_bytes(memory.total)} of {readable_bytes(room.capacity)}, most of it "
        f"{PARTS[memory.dominant]}."
    )
    changes = "; ".join(
        f"recipe.but({remedy.what}) takes {readable_bytes(remedy.memory.total)}" for remedy in found
    )
    return f"{first} {changes}. wb.estimate(recipe, split) shows more."
