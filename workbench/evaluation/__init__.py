"""Evaluation: counts per chip, scores per place with intervals, runs compared."""

from workbench.evaluation.comparison import Comparison, compare
from workbench.evaluation.intervals import Estimate
from workbench.evaluation.scores import Scores
from workbench.evaluation.scoring import evaluate, read_scores

__all__ = ["Comparison", "Estimate", "Scores", "compare", "evaluate", "read_scores"]
