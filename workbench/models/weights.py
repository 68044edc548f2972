"""Weight files: read safely, checked tensor by tensor, allocated once."""

from __future__ import annotations

import difflib
import hashlib
import json
import pickle
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from workbench.errors import WeightsError
from workbench.models.unpickling import unpickle

State = dict[str, Tensor]

# What files with weights are usually called, to point at them.
_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
# What torch.load and safetensors raise for files that are cut off, foreign or unsafe.
_UNREADABLE = (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError,
               RuntimeError, TypeError, ValueError, KeyError, OSError)  # fmt: skip


def read_state(path: Path) -> State:
    """Read a state dict from a `.safetensors` file or a torch checkpoint, running no code in it.

    A state dict inside a checkpoint (under `state_dict` or `model`) is found; a
    `.safetensors.index.json` joins the files beside it that it names.

    Raises:
        WeightsError: The file is missing, truncated, or holds something else.
    """
    return unwrap_state(read_file(path), str(path))


def require_weight_file(path: Path) -> None:
    """Refuse a path without a file.

    Raises:
        WeightsError: The file is missing; names those nearby.
    """
    if not path.is_file():
        raise WeightsError(
            f"No weight file at {path}{_nearby(path)}. Check the path; weights='hub' downloads the "
            "published file and weights='random' starts from nothing."
        )


def read_file(path: Path) -> Any:
    """Return all that a weight file holds: its tensors and, in a checkpoint, what lies beside.

    Raises:
        WeightsError: The file is missing or truncated, or would run code.
    """
    path = Path(path).expanduser()
    require_weight_file(path)
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    try:
        if path.suffix == ".safetensors":
            # Cloned, because safetensors maps the file: who overwrites it would change the model.
            return {name: tensor.clone() for name, tensor in load_file(path).items()}
        return unpickle(path)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
        raise WeightsError(
            f"{path} ({path.stat().st_size:,} bytes) is not a whole weight file: {reason[:300]} "
            "Download or copy it again; files that hold more than tensors and plain values are "
            "not opened."
        ) from error


def _nearby(path: Path) -> str:
    """Return what there is instead of a file: a folder's weight files, or names much like it."""
    if path.is_dir():
        held = sorted(entry.name for entry in path.iterdir() if entry.suffix in _SUFFIXES)
        return f", which is a folder; it holds {_some(held) if held else 'no weight files'}"
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; there is {near[0]!r}" if near else ""


def _read_shards(index: Path) -> State:
    try:
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        apart = [file for file in files if Path(file).name != file]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{index} is not an index of weight files: it has no 'weight_map' from tensors to "
            "files. Download or copy it again."
        ) from error
    if apart:
        raise WeightsError(f"{index} names files that do not lie beside it: {_some(apart)}.")
    joined: State = {}
    for file in files:
        joined |= read_state(index.parent / file)
    return joined


def unwrap_state(loaded: Any, origin: str) -> State:
    """Return the tensors of a state dict, also from inside a checkpoint.

    Args:
        loaded: What the file held.
        origin: Where it comes from, for the message.
    """
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{origin} holds a {type(loaded).__name__}, not a state dict.")
    foreign = sorted(str(key) for key, value in loaded.items() if not isinstance(value, Tensor))
    if foreign:
        raise WeightsError(
            f"{origin} is not a state dict: {_some(foreign)} are not tensors. "
            "Pass the mapping from tensor names to tensors."
        )
    return {str(key): value for key, value in loaded.items()}


def assign_state(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Give a module (also one on the meta device) its tensors, all of them and no others.

    Floating-point tensors become float32; tensors of that type are used without a copy.

    Raises:
        WeightsError: Names or shapes differ; the message lists them.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    misshaped = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} {kind}: {_some(names)}"
        for kind, names in (
            ("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped)
        )
        if names
    ]  # fmt: skip
    if problems:
        raise WeightsError(
            f"{origin} does not fit {type(module).__name__}. Tensors {'; '.join(problems)}. "
            "Check that the file belongs to this backbone and architecture."
        )
    full = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    module.load_state_dict(full, assign=True)


def state_hash(module: nn.Module, leave_out: Collection[str] = ()) -> str:
    """Return the SHA-256 of a module's tensors: names, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name not in leave_out:
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _some(names: list[str], shown: int = 8) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
