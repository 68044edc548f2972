"""Where models run."""

from __future__ import annotations

import torch

from workbench.errors import RecipeError


def select_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device asked for; `"auto"` takes CUDA, else Apple's MPS, else the CPU.

    Raises:
        RecipeError: There is no such device here.
    """
    here = ["cpu"]
    if torch.backends.mps.is_available():
        here.insert(0, "mps")
    if torch.cuda.is_available():
        here.insert(0, "cuda")
    if device == "auto":
        return torch.device(here[0])
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in here or (
        chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()
    ):  # fmt: skip
        raise RecipeError(
            f"device={str(device)!r} is not available here. Choose 'auto' or one of: "
            f"{', '.join(here)}. `workbench doctor` says what was found."
        )
    return chosen
