"""Events: what happens in a run, as frozen plain data, one JSON line each.

A reader replays the lines, then follows; a plot opened late, from another kernel or after a
restart, is the same code. A "callback" is a `for` loop over events.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any, ClassVar

from workbench.registry import Registry

KINDS: Registry[type[Event]] = Registry("event", "workbench.events")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """One fact of a run.

    `time` is seconds since 1970, `step` counts optimiser steps from 0 at the start,
    `epoch` counts from 0 (the epoch that is under way).
    """

    kind: ClassVar[str]
    terminal: ClassVar[bool] = False
    step: int = 0
    epoch: int = 0
    time: float = dataclasses.field(default_factory=time.time)

    def __init_subclass__(cls, *, kind: str, terminal: bool = False) -> None:
        cls.kind = kind
        cls.terminal = terminal
        KINDS.add(kind, cls)

    def to_json(self) -> str:
        """Return one line of JSON; values that are not finite become null."""
        fields = {"kind": self.kind, **dataclasses.asdict(self)}
        return json.dumps(_finite(fields), ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(line: str) -> Event:
        """Rebuild an event from its line; fields of a newer version are dropped."""
        fields = json.loads(line)
        cls = KINDS[fields.pop("kind")]
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in fields.items() if name in names})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStarted(Event, kind="run_started"):
    """The model is built and the data are there; the first step comes next."""

    epochs: int
    steps_per_epoch: int
    device: str
    trainable_parameters: int
    total_parameters: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResumed(Event, kind="run_resumed"):
    """Training goes on from a checkpoint; whatever was said of later steps is superseded."""

    device: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepDone(Event, kind="step_done"):
    """One optimiser step. Memory in bytes; `device_*` is null where there is no accelerator.

    `device_memory_bytes` and its peak are what tensors of this process occupy,
    `device_capacity_bytes` is what the card has.
    """

    loss: float
    lr: float
    samples_per_s: float
    eta_s: float | None = None
    host_rss_bytes: int
    device_memory_bytes: int | None = None
    device_peak_bytes: int | None = None
    device_capacity_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochDone(Event, kind="epoch_done"):
    """One epoch with its validation on training regions; scores are fractions, 0 to 1.

    `held_out_miou_by_region` is empty unless someone chose to watch held-out regions. The IoU of
    a class is None where it is neither in the labels nor predicted.
    """

    train_loss: float
    val_loss: float
    val_miou: float | None
    val_miou_by_region: dict[str, float | None]
    lr: float
    best: bool
    duration_s: float
    eta_s: float | None = None
    held_out_miou_by_region: dict[str, float | None] = dataclasses.field(default_factory=dict)
    val_iou_by_class: dict[str, float | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeaturesCached(Event, kind="features_cached"):
    """An epoch computed features of a frozen backbone; those that have room are kept.

    `chips` counts chips in one of their eight symmetries, `duration_s` is what computing and
    writing took, `disk_bytes` what the features of this backbone now take.
    """

    chips: int
    duration_s: float
    disk_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarningRaised(Event, kind="warning"):
    """Something the user should know; the run goes on."""

    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunPaused(Event, kind="run_paused"):
    """Training waits on request, its checkpoint `last` written; no clock runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunUnpaused(Event, kind="run_unpaused"):
    """Training goes on where it paused."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFinished(Event, kind="run_finished", terminal=True):
    """All epochs done, or early stopping; `reason` says which in words."""

    reason: str
    best_epoch: int
    duration_s: float
    peak_host_rss_bytes: int
    peak_device_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStopped(Event, kind="run_stopped", terminal=True):
    """Stopped on request after a whole step, with its checkpoint written."""

    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFailed(Event, kind="run_failed", terminal=True):
    """An error ended the run; `advice` says what to do, the traceback is in log.txt too.

    `repeats` says that a resumed run would meet it again: another recipe has to be trained.
    """

    error: str
    traceback: str
    advice: str = ""
    repeats: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunImported(Event, kind="run_imported", terminal=True):
    """The model was trained elsewhere; `origin` is the file it was taken from."""

    origin: str
