"""What a dashboard does when its run is damaged, deleted or replaced, or when it fails itself."""

from __future__ import annotations

import shutil
import threading

import pytest

import workbench as wb
from tests.widgets.conftest import DONE, joined, preview, started, step, until, write
from workbench.errors import RunError
from workbench.runs.lock import writing
from workbench.widgets import dashboard


@pytest.fixture
def watched(make_run, monkeypatch):
    """A run of 6 steps that another process trains, and a dashboard that follows it."""
    monkeypatch.setattr(dashboard, "EVERY_S", 0.01)
    run = make_run(*DONE[:6])
    with writing(run.folder):
        write(run, *DONE[6:8])
        board = wb.dashboard(run)
        board.follow()
        yield run, board
        board.close()
    board._thread.join(20)
    assert not board._thread.is_alive()


def notice(board) -> str:
    return board.widget.runs[0]["notice"].get("text", "")


def damage(run) -> None:
    path = run.folder / "events.jsonl"
    path.write_bytes(path.read_bytes() + b"\x00" * 40 + b"\n")


def test_a_damaged_journal_is_told_and_followed_again_once_it_is_whole(watched):
    run, board = watched
    path = run.folder / "events.jsonl"
    whole = path.read_bytes()
    damage(run)
    write(run, step(7))
    until(lambda: "is damaged in line 9" in notice(board))
    assert board.widget.runs[0]["state"] == "unreadable"
    assert str(path) in notice(board)
    assert "delete that line" in notice(board)
    assert "is damaged in line 9" in repr(board)
    assert len(joined(board.widget, "steps")) == 6, "what was seen before stays"
    board.widget._handle_custom_msg({"run": 0, "wish": "pause"}, [])
    assert "is damaged" in board.widget.lines[-1]["text"]
    path.write_bytes(whole)
    write(run, step(7))
    until(lambda: len(joined(board.widget, "steps")) == 7)
    assert not notice(board)
    assert board.widget.runs[0]["state"] == "running"
    write(run, *DONE[9:])
    until(lambda: board.widget.runs[0]["state"] == "finished")


def test_what_stands_before_a_damaged_line_is_drawn_and_never_taken_for_the_whole(make_run):
    run = make_run(*DONE)
    path = run.folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"\x00" * 40 + b"\n", *lines[5:]]))
    board = wb.dashboard(run)
    assert board.widget.runs[0]["state"] == "unreadable"
    assert "is damaged in line 5" in notice(board)
    assert "The curves show what was said before." in notice(board)
    assert 0 < len(joined(board.widget, "steps")) < 8
    assert board.picture() is not None
    with pytest.raises(RunError, match="is damaged in line 5"):
        run.events()
    path.write_bytes(b"".join(lines))
    board.refresh(now=True)
    assert board.widget.runs[0]["state"] == "finished"
    assert len(joined(board.widget, "steps")) == 8
    assert len(joined(board.widget, "epochs")) == 2


def test_a_folder_that_is_deleted_is_told_and_followed_again_once_it_is_back(watched, tmp_path):
    run, board = watched
    until(lambda: board.widget.runs[0]["state"] == "running")
    run.folder.rename(tmp_path / "aside")
    until(lambda: "moved or deleted" in notice(board))
    (tmp_path / "aside").rename(run.folder)
    until(lambda: board.widget.runs[0]["state"] == "running")
    assert len(joined(board.widget, "steps")) == 6


def test_a_run_of_the_same_name_in_the_place_of_a_deleted_one_is_shown_alone(watched, make_run):
    run, board = watched
    shutil.rmtree(run.folder)
    make_run(started(), step(1, loss=3.0))
    until(lambda: [row[1] for row in joined(board.widget, "steps")] == [3.0])
    assert joined(board.widget, "epochs") == []
    assert board.widget.runs[0]["state"] == "killed"


def test_a_damaged_run_does_not_hide_the_others(make_run):
    broken, whole = make_run(*DONE, name="broken"), make_run(*DONE, name="whole")
    damage(broken)
    preview(whole)
    board = wb.dashboard([broken, whole])
    assert [run["state"] for run in board.widget.runs] == ["unreadable", "finished"]
    assert len(joined(board.widget, "steps", 1)) == 8
    assert board.widget.chips["titles"] == ["image", "label", "prediction"]


@pytest.mark.parametrize(("name", "said"), [
    ("preview.npz", ""),
    ("recipe.json", "No sample chips: "),
    ("evaluation/summary.json", "its scores cannot be read: "),
])
def test_a_damaged_file_beside_the_journal_ends_nothing(make_run, name, said):
    run = make_run(*DONE)
    preview(run)
    (run.folder / name).parent.mkdir(exist_ok=True)
    (run.folder / name).write_text("")
    board = wb.dashboard(run)
    assert board.widget.runs[0]["state"] == "finished"
    assert said in str((board.widget.lines, notice(board)))
    assert not board.refresh()


def test_a_damaged_split_is_told_and_the_curves_are_drawn(make_run):
    run = make_run(*DONE)
    (run.folder / "split.json").write_text("")
    board = wb.dashboard(run)
    assert board.widget.runs[0]["state"] == "unreadable"
    assert "split.json is not valid JSON" in notice(board)
    assert len(joined(board.widget, "steps")) == 8


def test_what_nobody_expected_is_told_and_reported(watched, monkeypatch):
    reported = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    _, board = watched
    monkeypatch.setattr(board, "_show_chips", lambda: 1 / 0)
    board._thread.join(20)
    assert "Unexpected ZeroDivisionError" in board.widget.lines[-1]["text"]
    assert "has stopped looking; run its cell again" in board.widget.lines[-1]["text"]
    assert [what.exc_type for what in reported] == [ZeroDivisionError]
