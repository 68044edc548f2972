"""Models: backbones, decoders and the segmenter that joins them."""

from __future__ import annotations

from workbench.models.loading import load_backbone

__all__ = ["load_backbone"]
