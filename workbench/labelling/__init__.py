"""From a few labels to a map in seconds: a linear head on the frozen features of one scene."""

from __future__ import annotations

from workbench.labelling.opening import open_labels
from workbench.labelling.probe import RECIPE, LabelProbe, fit_labels

__all__ = ["RECIPE", "LabelProbe", "fit_labels", "open_labels"]
