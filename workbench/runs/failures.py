"""What is said of a run that broke off, whoever asks and wherever it was trained."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import RunError
from workbench.events import RunFailed
from workbench.runs.checkpoints import CHECKPOINTS, find
from workbench.runs.folder import OUTPUT, SPLIT
from workbench.runs.run import Run
from workbench.storage import read_json


def why(run: Run) -> str | None:
    """Return why a run broke off and what to do, in one paragraph; None where it did not."""
    state, events = run.state, run.events()
    if state == "failed":
        failed = events[-1]
        assert isinstance(failed, RunFailed)
        return explained(run, failed)
    if state == "killed":
        step = events[-1].step if events else 0
        words = (f". Its last words: {output} If they do not say why, somebody"
                 if (output := run.last_words()) else " without a word. Somebody")
        return (
            f"Training of {run.name!r} was killed after step {step}: its process ended{words} "
            "killed it, the system did when the memory was full, or the machine went down. "
            f"{goes_on(run.folder)}"
        )
    if state == "finished" and _unscored(run):
        return (
            f"{run.name!r} is trained, but its scoring broke off: "
            f"{run.last_words() or 'its process was killed.'} "
            f"wb.resume({str(run.folder)!r}) scores it."
        )
    return None


def require_trained(run: Run) -> None:
    """Raise unless a run has a best checkpoint.

    Raises:
        RunError: It is no run, or has none; says why, if it broke off.
    """
    if not isinstance(run, Run):
        raise RunError(f"{run!r} is no run. Open its folder first: wb.open_run('runs/<name>').")
    broken = why(run) if find(run.folder / CHECKPOINTS / "best") is None else None
    if broken is not None:
        raise RunError(f"{run.name!r} has no checkpoint 'best'. {broken}")


def _unscored(run: Run) -> bool:
    parts = read_json(run.folder / SPLIT).get("parts", {})
    scorable = parts.get("test") or parts.get("held_out")
    return bool(scorable and (run.folder / OUTPUT).exists() and not run.scores())


def explained(run: Run, failed: RunFailed) -> str:
    """Return what a `run_failed` event says, in one paragraph."""
    return (
        f"Training of {run.name!r} failed in epoch {failed.epoch + 1} after step {failed.step}. "
        f"{cause(run.folder, failed)}"
    )


def cause(folder: Path, failed: RunFailed) -> str:
    """Return what went wrong and what to do."""
    advice = f" – {failed.advice}" if failed.advice else ""
    then = _begins_anew(folder) if failed.repeats else goes_on(folder)
    return f"{failed.error}{advice} {then}"


def goes_on(folder: Path) -> str:
    """Return how a run that is not trained any more goes on, in one sentence."""
    resume = f"wb.resume({str(folder)!r})"
    if find(folder / CHECKPOINTS / "last") is None:
        return f"There is no checkpoint yet; {resume} begins again."
    return f"What was trained up to the last checkpoint is whole; {resume} goes on from there."


def _begins_anew(folder: Path) -> str:
    """Return what to do where resuming is of no use, in one paragraph."""
    best = find(folder / CHECKPOINTS / "best")
    kept = " The best epoch before it is whole: wb.load_model(run)." if best else ""
    return (
        "wb.resume would meet the same again; train anew with what is changed: "
        f"run = wb.open_run({str(folder)!r}); wb.fit(run.recipe.but(…), run.split).{kept}"
    )
