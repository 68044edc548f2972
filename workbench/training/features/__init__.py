"""Features of frozen backbones, computed once and kept on disk; a decoder trains from them alone.

The space they take is bounded (`space`), a value follows from its key and name alone (`identity`),
files are whole or not there (`store`), and a loader puts them into batches (`frozen`).
"""

from __future__ import annotations

from workbench.training.features.frozen import (
    FeatureLoader,
    Frozen,
    frozen_features,
    open_loader,
)
from workbench.training.features.identity import ChipNames, network_key
from workbench.training.features.space import budget_bytes, clear_features
from workbench.training.features.store import FeatureStore

__all__ = ["ChipNames", "FeatureLoader", "FeatureStore", "Frozen", "budget_bytes",
           "clear_features", "frozen_features", "network_key", "open_loader"]  # fmt: skip
