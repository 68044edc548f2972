"""events.jsonl: the append-only record of a run, one writer, any number of readers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from workbench.errors import RunError
from workbench.events import EpochDone, Event, RunResumed, RunStarted
from workbench.storage import out_of_space_explained

EVENTS = "events.jsonl"


class JournalWriter:
    """Appends events; a line is there whole or, after a crash, torn at the very end.

    Opening repairs a torn end, because the next line must start on a line of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with out_of_space_explained(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            os.ftruncate(self._file, whole_size(path))

    def append(self, event: Event) -> None:
        """Write one event; on failure (no space left) the file is as it was before."""
        line = event.to_json().encode() + b"\n"
        size = os.fstat(self._file).st_size
        with out_of_space_explained(self._path):
            try:
                while line:
                    line = line[os.write(self._file, line):]
            except OSError:
                os.ftruncate(self._file, size)
                raise

    def sync(self) -> None:
        """Bring what was appended to the disk: before a checkpoint that builds on it."""
        with out_of_space_explained(self._path):
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._file)


class JournalReader:
    """Reads the events of a run; each call reads on from where the last one ended.

    A call that meets a damaged line keeps what stands before it: once the line is mended or gone,
    the next call returns all of it, as if nothing had been. A file that was put in the place of the
    one read before is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        self._offset = self._lines = 0
        self._kept: list[Event] = []

    @property
    def offset(self) -> int:
        """Return how many bytes of whole lines have been read."""
        return self._offset

    @property
    def before_damage(self) -> list[Event]:
        """Return what stands before a damaged line and no call has returned yet."""
        return list(self._kept)

    def read(self) -> list[Event]:
        """Return the events that are new since the last call; a torn last line waits.

        Raises:
            RunError: A line is no event, the file cannot be read, or it is gone with its run.
        """
        for line in self._whole_lines():
            if line:
                self._kept.append(self._event(line))
            self._offset += len(line) + 1
            self._lines += 1
        new, self._kept = self._kept, []
        return new

    def _whole_lines(self) -> list[bytes]:
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                before, self._file = self._file, (status.st_dev, status.st_ino)
                # With the break of the line before: where there is none, another file is there.
                file.seek(max(self._offset - 1, 0))
                text = file.read()
                if self._offset and (before != self._file or not text.startswith(b"\n")):
                    self._begin()
                    file.seek(0)
                    text = file.read()
                return text.split(b"\n")[bool(self._offset) : -1]
        except (FileNotFoundError, NotADirectoryError):
            if self._file is None and self._path.parent.is_dir():
                return []  # nothing is said yet
            raise RunError(f"{self._path} is not there any more: it, or all of the run, was moved "
                           "or deleted. wb.list_runs() lists the runs that are there.") from None
        except OSError as error:
            raise RunError(f"{self._path} cannot be read ({error.strerror or error}). See that the "
                           "disk is there and that the file is yours to read.") from error

    def _event(self, line: bytes) -> Event:
        try:
            return Event.from_json(line.decode())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RunError(
                f"{self._path} is damaged in line {self._lines + 1}: the line {line[:30]!r} is no "
                "event. Bring the file back from a copy, or delete that line once nobody trains "
                "the run. Its checkpoints and scores are files of their own and may still be whole."
            ) from error


def replay(events: Iterable[Event]) -> list[Event]:
    """Drop what a resumed run superseded: everything said of steps after its checkpoint."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, RunStarted):  # killed before the first checkpoint, begun again
            kept = []
        elif isinstance(event, RunResumed):
            kept = [old for old in kept if not _superseded(old, event)]
        kept.append(event)
    return kept


def _superseded(old: Event, resumed: RunResumed) -> bool:
    if isinstance(old, EpochDone):
        # An epoch's last step may be checkpointed before the epoch is validated.
        return old.epoch >= resumed.epoch
    return old.terminal or old.step > resumed.step


def whole_size(path: Path) -> int:
    """Return the size up to the last line break, reading from the end; 0 without a file."""
    if not path.exists():
        return 0
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
