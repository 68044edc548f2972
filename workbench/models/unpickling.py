"""Checkpoints of torch read without running code, whatever lies beside their tensors."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.errors import WeightsError

# Packages whose objects trainers store beside the tensors: hyper-parameters, callbacks, optimisers.
# None of them is made: whatever they call becomes an inert mapping.
_BYSTANDERS = ("terratorch", "lightning", "pytorch_lightning", "lightning_fabric", "jsonargparse",
               "argparse", "albumentations", "torchgeo", "torch", "numpy", "pathlib", "omegaconf",
               "box", "claymodel", "src")  # fmt: skip
# Numbers of NumPy are made as they are; this is what its files call for one.
_NUMBER = np.float64(0).__reduce__()[0]
_NUMBERS = [
    np.dtype, *(getattr(np.dtypes, name) for name in np.dtypes.__all__),
    (_NUMBER, "numpy.core.multiarray.scalar"), (_NUMBER, "numpy._core.multiarray.scalar"),
]  # fmt: skip


class _Inert:
    """Stands for an object of a package that is not called; of an enumeration, its value.

    An ordered mapping, because torch fills no other in a file that may not run code.
    """

    def __new__(cls, *values: Any) -> Any:
        return values[0] if len(values) == 1 and isinstance(values[0], str) else OrderedDict()


def unpickle(path: Path) -> Any:
    """Return what a file of `torch.save` holds, on the CPU.

    Raises:
        WeightsError: It calls something that may be harmful.
    """
    if not zipfile.is_zipfile(path):  # The format before torch 1.6.
        return torch.load(path, map_location="cpu", weights_only=True)
    needed = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    if foreign := [name for name in needed if name.split(".")[0] not in _BYSTANDERS]:
        raise WeightsError(
            f"{path} holds more than a model: it calls {', '.join(sorted(foreign)[:4])}, which "
            "may be harmful. Save its state dict alone: torch.save(model.state_dict(), …)."
        )
    inert = [(_Inert, name) for name in needed if not name.startswith("numpy.")]
    with torch.serialization.safe_globals([*_NUMBERS, *inert]):
        return torch.load(path, map_location="cpu", weights_only=True)
