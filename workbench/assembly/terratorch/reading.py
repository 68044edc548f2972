"""TerraTorch's files: Lightning checkpoints and configurations, read without running code."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.errors import RecipeError, WeightsError
from workbench.models.weights import State, read_state, unwrap_state
from workbench.storage import read_json

# Packages whose objects Lightning stores beside the tensors: hyper-parameters, callbacks. None of
# them is made: whatever they call becomes an inert mapping.
_BYSTANDERS = ("terratorch", "lightning", "pytorch_lightning", "lightning_fabric", "jsonargparse",
               "argparse", "albumentations", "torchgeo", "torch", "numpy", "pathlib",
               "omegaconf")  # fmt: skip


_UNREADABLE = (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, RuntimeError, OSError,
               TypeError, ValueError)  # fmt: skip
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


def read_checkpoint(path: Path) -> tuple[State, dict[str, Any]]:
    """Return the tensors of a checkpoint and the hyper-parameters beside them, where there are any.

    Raises:
        WeightsError: The file is missing or damaged, or would run code.
    """
    path = Path(path).expanduser()
    if path.suffix == ".safetensors" or not path.is_file() or not zipfile.is_zipfile(path):
        return read_state(path), {}
    try:
        needed = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        foreign = [name for name in needed if name.split(".")[0] not in _BYSTANDERS]
        if foreign:
            raise WeightsError(
                f"{path} holds more than a model: it calls {', '.join(sorted(foreign)[:4])}, which "
                "may be harmful. Save its state dict alone: torch.save(model.state_dict(), …)."
            )
        inert = [(_Inert, name) for name in needed if not name.startswith("numpy.")]
        with torch.serialization.safe_globals([*_NUMBERS, *inert]):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path} is not a whole checkpoint that holds tensors and plain values: "
            f"{' '.join(str(error).split())[:300]}. Copy it again, or save its state dict alone."
        ) from error
    parameters = loaded.get("hyper_parameters") if isinstance(loaded, Mapping) else None
    return unwrap_state(loaded, str(path)), dict(parameters or {})


def read_config(config: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a configuration given as a mapping, or as the path of a YAML or JSON file."""
    if config is None or isinstance(config, Mapping):
        return dict(config or {})
    import yaml

    path = Path(config).expanduser()
    if not path.is_file():
        raise RecipeError(f"There is no configuration {path}.")
    try:
        said = read_json(path) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not a configuration of TerraTorch: {error}") from error
    if not isinstance(said, Mapping):
        raise RecipeError(f"{path} is not a configuration of TerraTorch: it holds no mapping.")
    return dict(said)


class Said:
    """What several configurations say; the first that says something decides."""

    def __init__(self, *sources: Mapping[str, Any]) -> None:
        self._sources = sources

    def find(self, *names: str) -> Any:
        """Return the first value under one of the names, at any depth; None where there is none."""
        for source in self._sources:
            for name in names:
                for value in _values(source, name):
                    return value
        return None


def _values(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if node.get(name) is not None:
            yield node[name]
        for value in node.values():
            yield from _values(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _values(value, name)
