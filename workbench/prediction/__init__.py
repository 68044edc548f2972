"""Prediction: windows of a scene in, classes and probabilities on the same grid out."""

from workbench.prediction.cog import to_cog
from workbench.prediction.scene import predict
from workbench.prediction.sources import PredictionWarning

__all__ = ["PredictionWarning", "predict", "to_cog"]
