"""The two files of an adapter: what it is, and its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.errors import WeightsError
from workbench.storage import write_json

CONFIG = "adapter_config.json"
FILE = "adapter_model.safetensors"


def write_adapter(folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write the options and the tensors of an adapter into `folder`."""
    write_json(folder / CONFIG, dict(config))
    write_tensors(folder, state)


def write_tensors(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write the tensors of an adapter into `folder`."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(kept, folder / FILE)


def read_tensors(folder: Path, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors of an adapter that has the names and shapes of `own`.

    Raises:
        WeightsError: The file is missing, damaged, or of another adapter.
    """
    path = folder / FILE
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a whole adapter file: {error}") from error
    wrong = sorted(
        set(own) ^ set(state)
        | {name for name in set(own) & set(state) if own[name].shape != state[name].shape}
    )
    if wrong:
        raise WeightsError(
            f"{path} belongs to another adapter: {len(wrong)} of its tensors differ in name "
            f"or shape from this one's, such as {wrong[0]}. Check options and backbone."
        )
    return state
