"""One writer a run folder: an operating-system lock that dies with its process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from workbench.errors import RunError

LOCK = ".lock"
# A reader that asks whether the lock is live holds it for an instant; a writer waits that long.
_PATIENCE_S = 2.0


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder.

    Raises:
        RunError: Another process, or another call in this one, trains into the folder.
    """
    # thread_local=False: the generator of events may be closed by another thread.
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except filelock.Timeout:
        raise RunError(
            f"{folder} is being trained by another process or cell. Wait for it, stop it, or "
            "train under another name."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_live(folder: Path) -> bool:
    """Return whether some process holds the lock of a run folder."""
    if not (folder / LOCK).exists():
        return False
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return True
    except OSError:  # a read-only folder has no writer
        return False
    lock.release()
    return False
