"""From a recipe to a model, from a model to files and back, and what there is to choose from."""

from __future__ import annotations

from workbench.assembly.building import Model, ModelDescription, build_model
from workbench.assembly.describing import Diagram, describe
from workbench.assembly.devices import select_device
from workbench.assembly.files import load_model, restore_model, save_model
from workbench.assembly.merging import merge
from workbench.assembly.metadata import (
    Encode,
    encoder,
    require_frames,
    require_metadata,
    require_same_frames,
)
from workbench.assembly.tables import backbones, decoders, peft_methods

__all__ = ["Diagram", "Encode", "Model", "ModelDescription", "backbones", "build_model",
           "decoders", "describe", "encoder", "load_model", "merge", "peft_methods",
           "require_frames", "require_metadata", "require_same_frames",
           "restore_model", "save_model", "select_device"]  # fmt: skip
