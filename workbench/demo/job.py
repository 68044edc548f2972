"""The whole job, stage by stage; whatever is done already is used again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from workbench import __version__
from workbench.data import Dataset, Split
from workbench.data.audit import Audit
from workbench.demo.scene import SCENE
from workbench.demo.subject import Subject
from workbench.errors import WorkbenchError
from workbench.evaluation import Comparison, compare
from workbench.fitting import fit, resume
from workbench.peft import FullFineTuning, LinearProbe, LoRA
from workbench.prediction import predict, to_cog
from workbench.recipe import AnyRecipe, Recipe, baselines
from workbench.reprs import readable_duration
from workbench.runs import Run
from workbench.storage import read_json, write_json

# Full fine-tuning's own rate (1e-4) is made for long trainings of large backbones; in a few epochs
# it would starve the method that LoRA is compared with.
FULL_LEARNING_RATE = 5e-4
RECORD = "demo.json"
WATER = "water.tif"


@dataclass(frozen=True)
class Results:
    """What the stages made, for the report."""

    subject: Subject
    folder: Path
    split: Split
    audit: Audit
    runs: dict[str, Run]
    num_baselines: int
    comparison: Comparison
    prediction: xr.Dataset
    label: np.ndarray

    @property
    def tuned(self) -> dict[str, Run]:
        """Return the runs that are no baselines."""
        return dict(list(self.runs.items())[: len(self.runs) - self.num_baselines])


class Stages:
    """Says which stage runs, shows its bar with the time left, and how long it took."""

    def __init__(self, console: Console, count: int) -> None:
        self.console = console
        self._count = count
        self._current = 0

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Open a stage; call what it yields with the work done and the whole."""
        self._current += 1
        head = f"[bold]{self._current}/{self._count}[/bold] {title}"
        begin = time.monotonic()
        bar = Progress(
            TextColumn("   "), BarColumn(), TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(compact=True), console=self.console, transient=True,
            disable=not self.console.is_terminal,
        )
        self.console.print(head)
        task = bar.add_task("", total=None)

        def advance(done: int, whole: int) -> None:
            bar.start()  # only now: a training shows a bar of its own
            bar.update(task, completed=done, total=whole)

        try:
            yield advance
        finally:
            bar.stop()
        self.console.print(f"    done in {readable_duration(time.monotonic() - begin)}",
                           style="dim")


def recipes(dataset: Dataset, backbone: str, epochs: int, seed: int) -> dict[str, AnyRecipe]:
    """Return what is trained, by name: three ways to fine-tune one backbone, and baselines."""
    # Small batches make the most of few epochs.
    base = Recipe(backbone=backbone, epochs=epochs, batch_size=4, seed=seed)
    beat = baselines(dataset, epochs=epochs, batch_size=4, seed=seed)
    beat.sort(key=lambda recipe: not isinstance(recipe, Recipe))  # the network first
    return {
        "lora": base.but(peft=LoRA()),
        "full": base.but(peft=FullFineTuning(), learning_rate=FULL_LEARNING_RATE),
        "linear-probe": base.but(peft=LinearProbe()),
        **{recipe.name: recipe for recipe in beat},
    }


def do_job(folder: Path, stages: Stages, subject: Subject, *, epochs: int, seed: int,
           device: str) -> Results:
    """Run the stages up to the prediction."""
    claim(folder, {"workbench": __version__, **subject.made_by, "epochs": epochs, "seed": seed})
    with stages.stage(subject.data_stage) as advance:
        dataset = subject.open(folder, advance)
    with stages.stage(f"Split with {subject.place} held out, and its audit"):
        split = dataset.split(hold_out=[subject.hold_out])
        audit = split.audit()
        stages.console.print(f"    {split!r}", highlight=False)
    plan = recipes(dataset, subject.backbone, epochs, seed)
    num_baselines = len(plan) - 3
    runs = {}
    with stages.stage(f"Three ways to fine-tune, and {num_baselines} baselines"):
        for name, recipe in plan.items():
            runs[name] = fitted(folder / "runs", name, recipe, split, device)
    with stages.stage("Comparison, with intervals"):
        comparison = compare(list(runs.values()))
    with stages.stage(subject.words.scene_title) as advance:
        label = subject.make_scene(folder, dataset)
        prediction = predict(runs["lora"], folder / SCENE, device=device, progress=advance)
        to_cog(prediction, folder / WATER)
    return Results(subject, folder, split, audit, runs, num_baselines, comparison, prediction,
                   label)


def claim(folder: Path, made_by: dict[str, Any]) -> None:
    """Take a folder for this demo, or go on in one that the same demo began.

    Raises:
        WorkbenchError: Something else stands there, or another version's demo.
    """
    record = folder / RECORD
    if record.is_file():
        found = read_json(record)
        differing = [f"{name} {found.get(name)} instead of {value}"
                     for name, value in made_by.items() if found.get(name) != value]
        if differing:
            raise WorkbenchError(
                f"{folder} holds a demo that was made differently: {', '.join(differing)}. Its "
                "runs cannot be mixed with new ones. Delete the folder, or give the demo another: "
                f"workbench demo {folder}-2."
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkbenchError(
            f"{folder} is there already and holds no demo. Nothing in it was touched; give the "
            f"demo another folder: workbench demo {folder}-2."
        )
    write_json(record, made_by)


def fitted(root: Path, name: str, recipe: AnyRecipe, split: Split, device: str) -> Run:
    """Train a run, go on with it, or take it as it is when it has finished.

    Raises:
        KeyboardInterrupt: The training was interrupted; its checkpoint is written.
    """
    path = root / name
    if path.exists():
        run = resume(path, device=device, show=True)
    else:
        run = fit(recipe, split, name=name, root=root, device=device, show=True)
    if run.state == "stopped":
        raise KeyboardInterrupt
    return run
