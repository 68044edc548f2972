"""Events on their way to the reader are written into the run folder first."""

from __future__ import annotations

import contextlib
import datetime
import errno
import traceback
from collections.abc import Callable, Generator, Iterator

import torch

from workbench.errors import OutOfSpaceError, TrainingError, WorkbenchError
from workbench.events import Event, RunFailed, StepDone, WarningRaised
from workbench.reprs import readable_duration
from workbench.runs import Run
from workbench.runs.failures import explained, goes_on
from workbench.runs.journal import EVENTS, JournalWriter
from workbench.runs.lock import Lock, writing
from workbench.storage import NO_ROOM, NoRoom, out_of_space_explained

LOG = "log.txt"
_FULL_MEMORY = (torch.OutOfMemoryError, MemoryError)
# What a RuntimeError says where PyTorch has no error of its own: MPS and CUDA's driver, cuBLAS
# and cuDNN, the processor.
_FULL_WORDS = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator: can't allocate")
# Turns "out of memory" into what would fit; it lies above training, so it is handed down.
Advise = Callable[[Run], str]


def recorded(run: Run, events: Iterator[Event], *, lock: Lock | None = None,
             advise: Advise | None = None) -> Generator[Event, None, None]:
    """Yield `events`, each once it stands in events.jsonl and log.txt.

    An error ends the run with a `run_failed` event, then goes on as a WorkbenchError. This is
    the one place that catches everything: the folder must tell what happened.

    Args:
        run: Where they happen.
        events: What happens.
        lock: The lock of the folder, where the caller holds it.
        advise: Says what would fit when the memory is full.

    Raises:
        RunError: The folder is being trained by another process, or was moved meanwhile.
        TrainingError: What went wrong, where, and what to do.
    """
    last: Event | None = None
    with (
        contextlib.nullcontext(lock) if lock else writing(run.folder) as held,
        JournalWriter(run.folder / EVENTS) as journal,
        open(run.folder / LOG, "ab", buffering=0) as log,
    ):
        try:
            for event in _after_a_death(events, held.found_dead):
                held.require_there()
                journal.append(event)
                # A step is worth no wait for the disk; a checkpoint builds on what came before it.
                if not isinstance(event, StepDone):
                    journal.sync()
                    with out_of_space_explained(run.folder):
                        log.write(_line(event))
                last = event
                yield event
        except (Exception, KeyboardInterrupt) as error:
            failed = RunFailed(
                step=last.step if last else 0, epoch=last.epoch if last else 0,
                error=_said(run, error), traceback=traceback.format_exc(),
                advice=_advice(run, error, advise),
                repeats=isinstance(error, TrainingError),
            )
            with contextlib.suppress(OSError):  # the disk may be what failed
                journal.append(failed)
                log.write(_line(failed))
            yield failed
            if isinstance(error, OutOfSpaceError):
                cause, remedy = _no_room(run, error)
                raise OutOfSpaceError(error.errno, f"{cause}, so its training ended. {remedy}. "
                                      f"{goes_on(run.folder)}") from error
            if isinstance(error, (WorkbenchError, KeyboardInterrupt)):
                raise
            raise TrainingError(explained(run, failed)) from error


def _after_a_death(events: Iterator[Event], died: int | None) -> Iterator[Event]:
    """Say after the first event that the process before this one was killed."""
    for event in events:
        yield event
        if died is not None:
            yield WarningRaised(
                step=event.step, epoch=event.epoch,
                message=f"The process that trained this run before (number {died}) was killed, or "
                "the machine ended; its lock was taken over.",
            )
            died = None


def _said(run: Run, error: BaseException) -> str:
    # Its own words say to run the same call again, which a run refuses: it is gone on with.
    said = _no_room(run, error).cause if isinstance(error, OutOfSpaceError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _advice(run: Run, error: BaseException, advise: Advise | None) -> str:
    if _memory_is_full(error):
        # A notebook keeps the last error; its frames would keep the model and its batch.
        traceback.clear_frames(error.__traceback__)
        if advise is not None:
            with contextlib.suppress(Exception):  # advice is no place for a second failure
                return advise(run)
        return (
            "The memory is full: use a smaller batch (recipe.but(batch_size=…)), a method that "
            "trains less, or a smaller backbone."
        )
    if isinstance(error, OutOfSpaceError):
        return f"{_no_room(run, error).remedy}."
    if isinstance(error, (WorkbenchError, KeyboardInterrupt)):
        return ""  # what is raised on purpose carries its advice
    return f"The whole traceback is in {run.folder / LOG}."


def _memory_is_full(error: BaseException) -> bool:
    said = str(error) if isinstance(error, RuntimeError) else ""
    return isinstance(error, _FULL_MEMORY) or any(words in said for words in _FULL_WORDS)


def _no_room(run: Run, error: OutOfSpaceError) -> NoRoom:
    cause, remedy = NO_ROOM[error.errno or errno.ENOSPC]
    return NoRoom(cause.format(run.folder), remedy)


def _line(event: Event) -> bytes:
    """Return a line of log.txt for people; a traceback follows its line."""
    when = datetime.datetime.fromtimestamp(event.time).isoformat(" ", "seconds")
    facts = {
        key: value for key, value in vars(event).items()
        if key not in {"time", "traceback"} and value is not None
    }  # fmt: skip
    shown = "  ".join(f"{key}={_short(key, value)}" for key, value in facts.items())
    trace = f"{event.traceback}\n" if isinstance(event, RunFailed) else ""
    return f"{when}  {event.kind}  {shown}\n{trace}".encode()


def _short(key: str, value: object) -> str:
    if key.endswith("_s") and isinstance(value, float):
        return readable_duration(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_short('', entry)}" for name, entry in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
