"""Models of runs, kept between predictions: a second look at a run loads nothing."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.assembly import Model, load_model, select_device
from workbench.runs import Run, checkpoints, failures

# A comparison of eight runs on a map stays quick; a 300-million-parameter backbone is 1.2 GB, and
# what runs have in common counts once.
_MOST, _MOST_BYTES = 8, 2 * 1000**3

_Key = tuple[Any, ...]
_lock = threading.RLock()
# Adapters such as VPT note on themselves how far a pass has come, and a kept model may be asked by
# a map's thread and by a cell at once. A pass fills the processors: two are no faster side by side.
one_pass = threading.RLock()
_recent: OrderedDict[_Key, Model] = OrderedDict()
_alive: weakref.WeakValueDictionary[_Key, Model] = weakref.WeakValueDictionary()


def kept_model(run: Run, device: str) -> Model:
    """Return the model of a run's best checkpoint, loaded unless it is in memory already.

    A checkpoint that was replaced is loaded anew. Weights that are bit for bit those of another
    model in memory are shared with it: a backbone that several runs adapt is in memory once. The
    last eight models are kept, up to 2 GB; do not change what is returned, and call it holding
    `one_pass`.

    Raises:
        RunError: The run has no checkpoint.
        WeightsError: A file is damaged.
    """
    failures.require_trained(run)
    best = run.folder / checkpoints.CHECKPOINTS / "best"
    key = (str(run.folder), str(select_device(device)), *checkpoints.read(best, stamps))
    with _lock:
        model = _alive.get(key)
        if model is None:
            # Whoever asks first, also within inference mode, all later ones are given tensors
            # that may be used outside of it and shared between models.
            with torch.inference_mode(False):
                model = load_model(run, device=device)
                _share(model, list(_alive.values()))
            _alive[key] = model
        _recent[key] = model
        _recent.move_to_end(key)
        while len(_recent) > _MOST or (len(_recent) > 1 and _nbytes(_recent) > _MOST_BYTES):
            _recent.popitem(last=False)
    return model


def stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of the files of a folder: what changes when it is replaced."""
    facts = sorted((path.name, path.stat()) for path in folder.iterdir())
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in facts)


def _share(model: Model, others: Iterable[Model]) -> None:
    """Let a model use the tensors of others that are bit for bit its own.

    LoRA keeps all of a backbone beside its own layers, BitFit all but the biases.
    """
    pool: dict[tuple[Any, ...], list[Tensor]] = {}
    for weight in (weight for other in others for weight in other.parameters()):
        alike = pool.setdefault((weight.shape, weight.dtype, weight.device), [])
        if all(known.data_ptr() != weight.data_ptr() for known in alike):
            alike.append(weight)
    for weight in model.parameters():
        alike = pool.get((weight.shape, weight.dtype, weight.device), [])
        same = next((known for known in alike if known.equal(weight)), None)
        if same is not None:
            weight.data = same.data


def _nbytes(models: OrderedDict[_Key, Model]) -> int:
    weights = (weight for model in models.values() for weight in model.parameters())
    return sum({weight.data_ptr(): weight.nbytes for weight in weights}.values())
