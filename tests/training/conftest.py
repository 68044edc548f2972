"""A split of the tiny floods, and recipes that train on it in a second or two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from workbench.data import Dataset, Split
from workbench.events import Event
from workbench.models import load_backbone, loading
from workbench.peft import LoRA
from workbench.recipe import Recipe

CLOCKS = {"time", "duration_s", "eta_s", "samples_per_s", "host_rss_bytes"}


def write_random_weights(folder: Path) -> None:
    """Write what stands for the shipped weights, so that no test depends on them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = load_backbone("workbench_tiny", weights="random")
    save_file({key: value.contiguous() for key, value in backbone.state_dict().items()},
              folder / "workbench_tiny.safetensors")


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "SHIPPED", folder)
        write_random_weights(folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread_and_random_weights(random_weights: Path) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "SHIPPED", random_weights)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """LoRA with dropout, so that an unfaithful resume shows."""
    return Recipe(peft=LoRA(rank=2, dropout=0.2), decoder="linear", epochs=3, batch_size=4)


def without_clocks(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the events of a run, less speed and time and the marks of an interruption."""
    return [
        {"kind": event.kind, **{key: value for key, value in vars(event).items()
                                if key not in CLOCKS and "peak" not in key}}
        for event in events
        if event.kind
        not in {"run_resumed", "run_paused", "run_unpaused", "warning", "features_cached"}
    ]  # fmt: skip


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Return every tensor of every file below a folder."""
    return {
        f"{path.relative_to(folder)}/{name}": value
        for path in sorted(folder.rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
