from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.runs.conftest import epoch, finished, started, step
from workbench.errors import OutOfSpaceError
from workbench.events import RunResumed, RunStopped
from workbench.runs.journal import JournalReader, JournalWriter, replay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def append(path: Path, *events) -> None:
    with JournalWriter(path) as journal:
        for event in events:
            journal.append(event)


def test_a_reader_reads_on_from_where_it_ended(path):
    reader = JournalReader(path)
    assert reader.read() == []
    append(path, started(), step(1))
    assert [event.kind for event in reader.read()] == ["run_started", "step_done"]
    append(path, step(2))
    assert [event.step for event in reader.read()] == [2]
    assert reader.read() == []


def test_a_torn_last_line_is_ignored_then_repaired(path):
    append(path, step(1), step(2))
    os.truncate(path, path.stat().st_size - 7)
    reader = JournalReader(path)
    assert [event.step for event in reader.read()] == [1]
    append(path, step(3))
    assert [event.step for event in reader.read()] == [3]
    assert [event.step for event in JournalReader(path).read()] == [1, 3]


def test_a_file_that_is_one_torn_line_becomes_empty(path):
    path.write_bytes(b'{"kind": "step_' * 10_000)
    append(path)
    assert path.read_bytes() == b""


def test_a_full_disk_leaves_the_lines_before_it_whole(path, monkeypatch):
    append(path, step(1))
    before = path.read_bytes()
    write = os.write

    def full(file: int, line: bytes) -> int:
        if len(line) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, line[:-10])

    with JournalWriter(path) as journal:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OutOfSpaceError, match=r"events\.jsonl.*Free some space"):
            journal.append(step(2))
        monkeypatch.undo()
        assert path.read_bytes() == before
        journal.append(step(2))
    assert [event.step for event in JournalReader(path).read()] == [1, 2]


def test_line_separators_inside_a_text_do_not_end_the_line(path):
    append(path, RunStopped(reason="one\u2028two\nthree"))
    assert JournalReader(path).read()[0].reason == "one\u2028two\nthree"


def test_a_resumed_run_supersedes_what_came_after_its_checkpoint():
    events = [started(), step(1), step(2), epoch(0), step(3), step(4), epoch(1),
              RunResumed(step=2, epoch=1, device="cpu"), step(3)]
    kept = [(event.kind, event.step) for event in replay(events)]
    assert kept == [("run_started", 0), ("step_done", 1), ("step_done", 2), ("epoch_done", 2),
                    ("run_resumed", 2), ("step_done", 3)]


def test_an_epoch_that_was_not_validated_at_the_checkpoint_is_superseded_too():
    stopped_at_its_last_step = RunResumed(step=2, epoch=0, device="cpu")
    kept = replay([started(), step(1), step(2), epoch(0), stopped_at_its_last_step])
    assert "epoch_done" not in [event.kind for event in kept]


def test_an_end_before_a_resume_is_no_end():
    events = [started(), step(1), RunStopped(step=1, reason="interrupted"),
              RunResumed(step=1, device="cpu"), step(2), finished()]
    assert [event.kind for event in replay(events) if event.terminal] == ["run_finished"]
