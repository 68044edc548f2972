from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.runs.conftest import epoch, finished, started, step
from workbench.errors import OutOfSpaceError, RunError
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


def read_with_error(reader: JournalReader) -> str:
    with pytest.raises(RunError) as caught:
        reader.read()
    return str(caught.value)


def test_a_damaged_line_is_named_and_nothing_is_lost_once_it_is_mended(path):
    append(path, started(), step(1))
    reader = JournalReader(path)
    reader.read()
    append(path, step(2), step(3), step(4))
    whole = path.read_bytes()
    lines = whole.split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], b"\x00" * 80, *lines[4:]]))
    for _ in range(2):  # it is said again and again, not only once
        said = read_with_error(reader)
        assert f"{path} is damaged in line 4: the line b'\\x00" in said
        assert "delete that line" in said
    append(path, step(5))
    read_with_error(reader)
    path.write_bytes(whole)
    assert [event.step for event in reader.read()] == [2, 3, 4]
    append(path, step(5))
    assert [event.step for event in reader.read()] == [5]


def test_a_damaged_line_that_is_deleted_is_all_that_is_missing(path):
    append(path, started(), step(1), step(2), step(3))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], b"damaged", *lines[3:]]))
    reader = JournalReader(path)
    read_with_error(reader)
    path.write_bytes(b"\n".join([*lines[:2], *lines[3:]]))
    assert [event.step for event in reader.read()] == [0, 1, 3]


@pytest.mark.parametrize("renamed", [True, False])
def test_another_file_in_its_place_is_read_from_its_beginning(path, renamed):
    append(path, started(), step(1), step(2))
    reader = JournalReader(path)
    reader.read()
    other = path.with_name("other")
    append(other, started(), step(1, loss=0.123456789), step(2), step(3), step(4))
    if renamed:
        other.replace(path)
    else:
        path.write_bytes(other.read_bytes())
    assert [event.step for event in reader.read()] == [0, 1, 2, 3, 4]


def test_a_file_that_is_gone_or_cannot_be_read_is_told(path):
    append(path, step(1))
    reader = JournalReader(path)
    reader.read()
    path.unlink()
    assert "moved or deleted" in read_with_error(reader)
    path.mkdir()
    assert f"{path} cannot be read (Is a directory)" in read_with_error(reader)
    assert "moved or deleted" in read_with_error(JournalReader(path.parent / "gone" / path.name))


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
