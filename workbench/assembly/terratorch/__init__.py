"""Models fine-tuned with TerraTorch, opened as runs."""

from __future__ import annotations

from workbench.assembly.terratorch.importing import import_terratorch

__all__ = ["import_terratorch"]
