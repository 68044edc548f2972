"""One writer a run folder: an operating-system lock that dies with its process.

It is a `flock`, which belongs to the open file and not to the process, so a launching process
can hand the file to its worker: there is no moment in which nobody holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workbench.errors import RunError
from workbench.runs import control
from workbench.runs.access import refusal_explained
from workbench.runs.journal import EVENTS, whole_size
from workbench.storage import out_of_space_explained

LOCK = ".lock"
# A reader that asks whether the lock is live holds it for an instant; a writer waits that long.
_PATIENCE_S = 2.0


class _Said(NamedTuple):
    """What the lock's file says while it is held."""

    holder: int
    journal_size: int
    died: int


class Lock:
    """The lock of a run folder, held until `release`.

    The file names its holder and how long the journal was when it came: a run whose journal has
    not grown since is `starting`. A holder that ends in order leaves the file empty, so one that
    died can be told.

    Attributes:
        folder: The run folder.
        file: The descriptor that a worker inherits.
        found_dead: The process that held it before and died, None where all was in order.
    """

    def __init__(self, folder: Path, file: int, found_dead: int | None = None) -> None:
        self.folder = folder.absolute()  # a process may change its working directory
        self.file = file
        self.found_dead = found_dead

    @staticmethod
    def take(folder: Path) -> Lock:
        """Take the lock; wishes to whoever held it before are forgotten.

        Raises:
            RunError: Another process, or another call in this one, trains into the folder; or
                it is read-only, or its file system has no locks.
        """
        with refusal_explained(folder), out_of_space_explained(folder):
            file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _acquire(file, folder)
                died = said.holder if (said := _said(file)) else None
                _say(file, _Said(os.getpid(), whole_size(folder / EVENTS), died or 0))
                control.clear(folder)
            except BaseException:
                os.close(file)
                raise
        return Lock(folder, file, died)

    @staticmethod
    def inherited(folder: Path, file: int) -> Lock:
        """Go on holding the lock that the launching process took."""
        os.set_inheritable(file, False)  # once is enough: it shall die with this process
        said = _said(file)
        assert said is not None
        _say(file, said._replace(holder=os.getpid()))
        return Lock(folder, file, said.died or None)

    def moved(self, folder: Path) -> bool:
        """Follow a folder that was renamed; return whether it is this one that stands there."""
        self.folder = folder.absolute()
        return self._stands()

    def require_there(self) -> None:
        """Refuse to write where the folder was: another may stand there, or none.

        Raises:
            RunError: The folder was moved or deleted.
        """
        if not self._stands():
            raise RunError(
                f"{self.folder}, or its file {LOCK}, was moved or deleted while it was trained, so "
                "its training ended. Where it stands now, wb.resume goes on with it."
            )

    def _stands(self) -> bool:
        try:
            there = os.stat(self.folder / LOCK)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(os.fstat(self.file), there)

    def hand_over(self) -> None:
        """Leave the lock to the process that inherited its file."""
        os.close(self.file)

    def release(self) -> None:
        """Let go of it, in order; there is nobody any more who would obey."""
        if self._stands():
            control.clear(self.folder)
        os.ftruncate(self.file, 0)
        os.close(self.file)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[Lock]:
    """Hold the lock of a run folder.

    Raises:
        RunError: Another process, or another call in this one, trains into the folder.
    """
    lock = Lock.take(folder)
    try:
        yield lock
    finally:
        lock.release()


def is_live(folder: Path) -> bool:
    """Return whether some process holds the lock of a run folder."""
    return journal_size_at_start(folder) is not None


def journal_size_at_start(folder: Path) -> int | None:
    """Return how long the journal was when the living writer came, None where there is none."""
    said = _living(folder)
    return None if said is None else said.journal_size


def holder(folder: Path) -> int | None:
    """Return the process that holds the lock of a run folder, None where none does."""
    said = _living(folder)
    return None if said is None else said.holder


def _living(folder: Path) -> _Said | None:
    """Return what the holder of a lock says, None where nobody holds it."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared, so that two who look do not take each other for a writer.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(file) or _Said(0, 0, 0)
    except OSError:  # a file system without locks has no writer
        return None
    finally:
        os.close(file)
    return None


def _acquire(file: int, folder: Path) -> None:
    patient_until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patient_until:
                raise RunError(
                    f"{folder} is being trained by another process or cell. Wait for it "
                    "(run.wait()), stop it (run.stop()), or train under another name."
                ) from None
        time.sleep(0.02)


def _said(file: int) -> _Said | None:
    words = os.pread(file, 100, 0).split()
    return _Said(*map(int, words)) if len(words) == len(_Said._fields) else None


def _say(file: int, said: _Said) -> None:
    line = " ".join(map(str, said)).encode()
    os.pwrite(file, line, 0)
    os.ftruncate(file, len(line))
