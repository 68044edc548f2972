"""Prediction: windows of a scene in, classes and probabilities on the same grid out."""

from workbench.prediction.borders import Seams, seams
from workbench.prediction.cog import to_cog
from workbench.prediction.many import Predictions
from workbench.prediction.needs import PredictionWarning
from workbench.prediction.polygons import to_polygons
from workbench.prediction.scene import predict
from workbench.prediction.viewing import scene_view

__all__ = ["PredictionWarning", "Predictions", "Seams", "predict", "scene_view", "seams", "to_cog",
           "to_polygons"]
