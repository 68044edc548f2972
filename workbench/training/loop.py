"""The training loop: a generator of events.

Source: the paper's recipe (AdamW, cross-entropy, ReduceLROnPlateau(4, 0.5), early stopping after
15 epochs, D4), configurations of IBM/peft-geofm.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from workbench.assembly import encoder, restore_model, save_model
from workbench.data import Split
from workbench.errors import DataError, TrainingError, WorkbenchError
from workbench.events import (
    EpochDone,
    Event,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunUnpaused,
    StepDone,
    WarningRaised,
)
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.runs import checkpoints
from workbench.training import checkpoint
from workbench.training.control import Control, Interrupted
from workbench.training.features import Frozen, open_loader
from workbench.training.heap import give_back, kept_heap
from workbench.training.loader import Batch, Loader, fits_in_memory
from workbench.training.meters import Clock, Memory
from workbench.training.objective import Objective
from workbench.training.step import Step, StepLoss
from workbench.training.validation import Validation, validate


class Loop:
    """One model in training.

    Args:
        recipe: How to train.
        split: The parts; `train` and `val` are read, `held_out` where it is watched.
        model: On its device already.
        folder: The run folder; checkpoints go there.
        device: Where the model is.
        choices: What the recipe left open: `precision`, `class_weights` where there are any, and
            `watch_held_out`.
        frozen: Gives the features of a frozen backbone; without it every batch goes through it.
    """

    def __init__(self, recipe: Recipe, split: Split, model: Segmenter, folder: Path,
                 device: torch.device, choices: Mapping[str, Any],
                 frozen: Frozen | None = None) -> None:
        self.recipe = recipe
        self.model = model
        self.device = device
        self.progress = checkpoint.Progress()
        self._folder = folder / checkpoints.CHECKPOINTS
        held_out = [split.held_out] if choices.get("watch_held_out") else []
        train, val, *watched = (
            part.with_bands(model.bands) for part in (split.train, split.val, *held_out)
        )
        self._frozen = frozen
        load = functools.partial(
            open_loader, batch_size=recipe.chips_at_once, encode=encoder(model), frozen=frozen,
            cache=fits_in_memory(train, val, *watched),
        )
        # Scoring needs its features every epoch, training one of eight: it goes first.
        scored = len(val) + sum(map(len, watched))
        self._train, self._val = load(train, leaving=scored), load(val)
        self._watched = load(watched[0]) if watched else None
        # Runs of before there was a choice are in fp32.
        self._precision = choices.get("precision", "fp32")
        self._objective = Objective.of(recipe, choices.get("class_weights"), device)
        self._step = Step(recipe, model, device, self._precision, self._objective)
        self._steps = -(-len(self._train) // recipe.accumulate)
        self._memory = Memory(device)
        self._clock = Clock(recipe.epochs, self._steps)
        self._warned = False

    def restore(self, folder: Path) -> None:
        """Take up the weights and the state that a checkpoint holds.

        Raises:
            TrainingError: It is damaged.
        """
        try:
            restore_model(self.model, folder)
            self.progress = checkpoint.load(folder, self._step.parameters, self._step.optimizer)
        except (WorkbenchError, SafetensorError, OSError, LookupError, TypeError) as error:
            raise TrainingError(f"The checkpoint {folder} is damaged: {str(error).rstrip('.')}. "
                                "Bring its files back from a copy, or train anew.") from error
        self._step.scaler.load_state_dict(self.progress.loss_scale)

    def events(self, control: Control) -> Iterator[Event]:
        """Train until the epochs are done, the patience ends or `control` says stop."""
        # Dropout seeds torch's generators; the caller's random numbers stay the caller's.
        numbers = torch.random.fork_rng([self.device] if self.device.type == "cuda" else [])
        with numbers, kept_heap():
            yield self._opening()
            self._begun = time.perf_counter() - self.progress.duration_s
            while (reason := self._over()) is None:
                yield from self._epoch(control)
                if control.stop_reason is not None:
                    self._save_last()
                    yield RunStopped(**self._now(), reason=control.stop_reason)
                    return
                now = self._now()
                try:
                    ended = self._end_epoch(control)
                except Interrupted:
                    continue  # the wish is obeyed, then validation begins again
                if self._frozen is not None:
                    yield from self._frozen.events(**now)
                yield ended
                if ended.best:
                    self._save("best")
                self._save_last()
                if control.stops_after_epoch and self._over() is None:
                    yield RunStopped(**self._now(), reason="asked to stop after the epoch")
                    return
            yield RunFinished(
                **self._now(), reason=reason, best_epoch=self.progress.best_epoch,
                duration_s=self.progress.duration_s,
                peak_host_rss_bytes=self._memory.host_peak(),
                peak_device_bytes=self._memory.device_peak(),
            )

    def _opening(self) -> Event:
        if self.progress.step:
            return RunResumed(**self._now(), device=str(self.device))
        return RunStarted(
            epochs=self.recipe.epochs, steps_per_epoch=self._steps, device=str(self.device),
            trainable_parameters=sum(entry.numel() for entry in self._step.parameters.values()),
            total_parameters=sum(entry.numel() for entry in self.model.parameters()),
        )

    def _over(self) -> str | None:
        """Return why training ends here, None when it goes on."""
        done = len(self.progress.val_losses)
        if done >= self.recipe.epochs:
            return f"all {done} epochs are done"
        if done and done - 1 - self.progress.best_epoch >= self.recipe.patience:
            return f"no lower validation loss for {self.recipe.patience} epochs"
        return None

    def _now(self) -> dict[str, Any]:
        return {"step": self.progress.step, "epoch": self.progress.epoch}

    def _epoch(self, control: Control) -> Iterator[Event]:
        """Train the batches of the epoch under way that are still to be trained."""
        progress, recipe = self.progress, self.recipe
        self._epoch_begun = time.perf_counter() - progress.epoch_s
        self.model.train()
        self._clock.restart()
        batches = self._train.shuffled(
            recipe.seed, progress.epoch, augmented=recipe.augment,
            skip=(progress.step - progress.epoch * self._steps) * recipe.accumulate,
        )
        underway: collections.deque[tuple[int, StepLoss]] = collections.deque()
        for group in _groups(batches, recipe.accumulate):
            if control.pausing:
                yield from self._arriving(underway)
                yield from self._pause(control)
            if control.stop_reason is not None:
                break
            if any(batch.pixels for batch in group):
                self._step.lr = self._lr(progress.step)
                done = self._step.take(group, _mix(recipe.seed, progress.step))
                underway.append((progress.step + 1, done))
            elif not self._warned:
                self._warned = True
                yield WarningRaised(
                    **self._now(), message="A batch without any labelled pixel was skipped; "
                    "split.audit() lists the chips without labels."
                )
            progress.step += 1
            while len(underway) > (self.device.type == "cuda"):
                yield self._step_done(*underway.popleft())
        yield from self._arriving(underway)
        if control.pausing:
            yield from self._pause(control)
        progress.epoch_s = time.perf_counter() - self._epoch_begun

    def _arriving(self, underway: collections.deque[tuple[int, StepLoss]]) -> Iterator[Event]:
        while underway:
            yield self._step_done(*underway.popleft())

    def _pause(self, control: Control) -> Iterator[Event]:
        """Wait, with a checkpoint on disk in case this is for good; no clock runs meanwhile.

        What memory is free is others' until it goes on.
        """
        begun = time.perf_counter()
        self.progress.epoch_s = begun - self._epoch_begun
        self._save_last()
        give_back(self.device)
        yield RunPaused(**self._now())
        control.wait()
        if control.stop_reason is None:
            yield RunUnpaused(**self._now())
        waited = time.perf_counter() - begun
        self._begun += waited
        self._epoch_begun += waited
        self._clock.restart()

    def _lr(self, step: int) -> float:
        """Return the learning rate of a step, from how far training has come alone."""
        total = self.recipe.epochs * self._steps
        return self.recipe.lr * self.recipe.schedule.scale(step, total, self.progress.val_losses)

    def _step_done(self, step: int, done: StepLoss) -> StepDone:
        loss = done.wait()
        if not math.isfinite(loss):
            raise TrainingError(self._not_finite("training", step, done.lr))
        self.progress.loss_sum += loss * done.pixels
        self.progress.pixels += done.pixels
        seconds = self._clock.step()
        return StepDone(
            step=step, epoch=self.progress.epoch, loss=loss, lr=done.lr,
            samples_per_s=done.chips / seconds,
            eta_s=self._clock.eta_s(step, self.progress.epoch),
            host_rss_bytes=self._memory.host_now(),
            device_memory_bytes=self._memory.device_now(),
            device_peak_bytes=self._memory.device_peak(),
            device_capacity_bytes=self._memory.device_capacity(),
        )

    def _end_epoch(self, control: Control) -> EpochDone:
        """Validate; the schedule and the patience go by what comes of it."""
        progress, begun = self.progress, time.perf_counter()
        lr = self._lr(progress.step - 1)
        scored = self._validated(self._val, control)
        if not scored.pixels:
            raise DataError(
                "No validation chip has a labelled pixel, though their index says so: the files "
                "changed since they were opened. Bring them back, or open them again and train "
                "anew."
            )
        if not math.isfinite(scored.loss):
            raise TrainingError(self._not_finite("validation", progress.step, lr))
        watched = (
            {} if self._watched is None else self._validated(self._watched, control).miou_by_region
        )
        best = scored.loss < min(progress.val_losses, default=math.inf)
        progress.val_losses.append(scored.loss)
        now = time.perf_counter()
        self._clock.validated(now - begun)
        event = EpochDone(
            **self._now(), train_loss=progress.loss_sum / max(progress.pixels, 1),
            val_loss=scored.loss, val_miou=scored.miou, val_miou_by_region=scored.miou_by_region,
            val_iou_by_class=scored.iou_by_class, held_out_miou_by_region=watched, lr=lr,
            best=best, duration_s=now - self._epoch_begun,
            eta_s=self._clock.eta_s(progress.step, progress.epoch + 1),
        )
        progress.epoch += 1
        progress.loss_sum, progress.pixels, progress.epoch_s = 0.0, 0, 0.0
        return event

    def _not_finite(self, part: str, step: int, lr: float) -> str:
        half = "" if self._precision == "fp32" else (
            f" {self._precision} may also be too coarse: try recipe.but(precision='fp32')."
        )
        return (
            f"The {part} loss is not finite after step {step} (learning rate {lr:.2g}, "
            f"{self._precision}). Mostly the learning rate is too high: try "
            f"recipe.but(learning_rate={lr / 10:.1g}).{half} Otherwise a band holds values that "
            "are far off: wb.plot(split, 'normalization') shows them."
        )

    def _validated(self, loader: Loader, control: Control) -> Validation:
        return validate(self.model, loader, self.device, self._objective, self._precision,
                        before_batch=control.interrupt)

    def _save_last(self) -> None:
        self.progress.duration_s = time.perf_counter() - self._begun
        self._save("last")

    def _save(self, name: str) -> None:
        with checkpoints.replacing(self._folder / name) as folder, checkpoint.full_disk_told():
            save_model(self.model, folder)
            if name == "last":
                self.progress.loss_scale = self._step.scaler.state_dict()
                checkpoint.save(
                    folder, self.progress, self._step.parameters, self._step.optimizer
                )


def _groups(batches: Iterable[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    """Yield the batches of one step after the other; the last step of an epoch may have fewer."""
    waiting = iter(batches)
    while group := tuple(itertools.islice(waiting, size)):
        yield group


def _mix(seed: int, step: int) -> int:
    """Return the seed of a step's dropout: the same whether the run was interrupted or not."""
    digest = hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
