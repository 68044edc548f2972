"""What follows a training: its best checkpoint scored once, and the card."""

from __future__ import annotations

from workbench.evaluation import evaluate
from workbench.runs import Run, write_card


def scored(run: Run, device: str) -> Run:
    """Score a run that has finished and was not scored yet; one that has not is returned as is."""
    if run.state != "finished":
        return run
    parts = run.split.parts
    if (parts["test"] or parts["held_out"]) and not run.scores():
        evaluate(run, device=device)
    write_card(run)
    return run
