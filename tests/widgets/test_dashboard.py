from __future__ import annotations

import base64
import io
import json
import threading

import pytest
from matplotlib import image

import workbench as wb
from tests.widgets.conftest import DONE, epoch, joined, preview, started, step, until, write
from workbench.errors import DataError, RunError
from workbench.events import RunResumed, RunStopped, WarningRaised
from workbench.runs import control
from workbench.runs.lock import writing
from workbench.widgets import board, cells, dashboard
from workbench.widgets.board import BUDGET, CHIPS_BUDGET, Board, Feed
from workbench.widgets.following import Follower


@pytest.fixture
def sent(monkeypatch):
    """Sizes of what boards send after they were opened."""
    sizes = []

    def send_state(self, key=None):
        if key is not None:
            sizes.append(len(json.dumps(self.get_state(key))))

    monkeypatch.setattr(Board, "send_state", send_state)
    return sizes


@pytest.fixture
def kernel(displayed, monkeypatch):
    """Say which run of which cell is under way."""
    shell = dashboard.get_ipython()
    shell.kernel = type("Kernel", (), {})()
    monkeypatch.setattr(cells, "_shown", {})

    def cell(name: str, execution: str) -> None:
        shell.kernel.get_parent = lambda: {"metadata": {"cellId": name},
                                           "header": {"msg_id": execution}}

    cell("a", "1")
    return cell


def test_it_is_a_view_on_a_folder_and_its_value_is_the_run(make_run):
    run = make_run(*DONE)
    board = wb.dashboard(str(run.folder))
    assert board.value.folder == run.folder
    assert board.widget.runs[0]["state"] == "finished"
    assert len(joined(board.widget, "steps")) == 8
    assert [row[3] for row in joined(board.widget, "epochs")] == [0.5, 0.6]
    assert repr(board).startswith("lora · finished · validation mIoU 60.0 %")


def test_the_code_view_is_the_line_that_it_stands_for(make_run):
    board = wb.dashboard([make_run(*DONE), make_run(*DONE, name="full")])
    names = {"wb": wb}
    exec(board.widget.code.replace("wb.dashboard(run)", "board = wb.dashboard(run)"), names)
    assert [run.name for run in names["board"].value] == ["lora", "full"]
    assert names["board"].code == board.code


def test_what_is_new_is_sent_and_nothing_else(make_run, sent):
    run = make_run(*DONE[:6])
    with writing(run.folder):
        write(run, step(5))
        board = wb.dashboard(run)
        sent.clear()
        board.refresh(now=True)
        assert not sent
        write(run, step(6))
        assert board.refresh(now=True)
        assert [row[0] for row in joined(board.widget, "steps")] == [0.25, 0.5, 0.75, 1, 1.25, 1.5]
        assert sum(sent) < 3_000


def test_a_long_fast_history_stays_below_the_budget(make_run, sent, monkeypatch):
    """50 steps a second for ten minutes, looked at twice a second."""
    now = 0.0
    monkeypatch.setattr(board.time, "monotonic", lambda: now)
    follower = Follower(make_run())
    shown = Board([follower], "", True, print)
    follower._take(started(100, 3000))
    sent.clear()
    for number in range(1, 30_001):
        follower._take(step(number, 3000))
        if number % 25 == 0:
            now += 0.5
            shown.show()
    assert now == 600
    assert sum(sent) / now < BUDGET * 1.05
    assert joined(shown, "steps")[-1][0] == pytest.approx(10, abs=0.02)


def test_epochs_of_a_second_with_their_chips_do_not_hold_up_the_numbers(
        make_run, sent, monkeypatch):
    now, epochs = 0.0, 60
    monkeypatch.setattr(board.time, "monotonic", lambda: now)
    chips = {"cards": ["x" * 100_000]}
    monkeypatch.setattr(dashboard, "tiles", lambda _: chips | {"titles": [now]})
    run = make_run(started(epochs))
    with writing(run.folder):
        shown = wb.dashboard(run)
        for number in range(epochs):
            now += 1
            write(run, step(number + 1, 1), epoch(number, steps=1))
            preview(run, number)
            shown.refresh()
            assert len(joined(shown.widget, "epochs")) >= number - 1
        assert 5 < shown.widget.chips["titles"][0] < now
        assert sum(sent) / now < BUDGET + CHIPS_BUDGET
        write(run, RunStopped(step=epochs, reason="asked to stop"))
        preview(run, epochs)
    shown.refresh()
    assert shown.widget.chips["titles"] == [now], "of an ended run the last ones stand there"


def test_both_parts_together_are_the_whole_history_at_any_time(make_run):
    follower = Follower(make_run())
    feed = Feed(follower)
    follower._take(started(10, 500))
    for number in range(1, 2_001):
        follower._take(step(number, 500))
        if number % 500 == 0:
            follower._take(epoch(number // 500 - 1, steps=500))
        if number % 7 == 0:
            base, tail = feed.parts()
            steps = base["steps"][: tail["steps_from"]] + tail["steps"]
            assert [row[0] for row in steps] == pytest.approx(
                [row[0] for row in follower.steps.rows], rel=1e-4)
            assert len(base["epochs"][: tail["epochs_from"]] + tail["epochs"]) == number // 500


def test_a_button_is_a_wish_in_the_folder_and_is_answered_at_once(make_run):
    run = make_run(*DONE[:2])
    with writing(run.folder):
        write(run, step(2))
        board = wb.dashboard(run)
        board.widget._handle_custom_msg({"run": 0, "wish": "stop_after_epoch"}, [])
        assert control.wishes(run.folder) == {"stop_after_epoch"}
        assert board.widget.runs[0]["wish"] == "stopping after this epoch…"


def test_a_button_that_comes_too_late_says_so_in_the_log(make_run):
    board = wb.dashboard(make_run(*DONE))
    board.widget._handle_custom_msg({"run": 0, "wish": "pause"}, [])
    assert "not being trained" in board.widget.lines[-1]["text"]


def test_sample_chips_are_small_pictures_sent_when_they_change(make_run, sent):
    run = make_run(*DONE)
    board = wb.dashboard(run)
    assert board.widget.chips == {}
    preview(run)
    board.refresh()
    chips = board.widget.chips
    assert chips["titles"] == ["image", "label", "prediction"]
    assert [card["name"] for card in chips["cards"]] == ["Ghana", "Spain"]
    url = chips["cards"][0]["pictures"][1]
    picture = image.imread(io.BytesIO(base64.b64decode(url.split(",")[1])), format="webp")
    assert picture.shape[:2] == (8, 8)
    count = len(sent)
    board.refresh()
    assert len(sent) == count


def test_text_of_a_run_reaches_the_browser_as_it_is_and_is_bounded(make_run):
    board = wb.dashboard(make_run(started(), WarningRaised(message="<b>no</b>" * 100)))
    line = board.widget.lines[-1]
    assert line["level"] == "warning"
    assert line["text"].startswith("<b>no</b>")
    assert len(line["text"]) < 400
    assert "innerHTML" not in Board._esm


def test_nothing_of_the_widget_comes_from_elsewhere():
    assert "http" not in (Board._esm + Board._css).replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in Board._css


def test_widget_and_picture_are_two_outputs(make_run, displayed, kernel):
    board = wb.dashboard(make_run(*DONE))
    board._ipython_display_()
    widget, picture = (output["data"] for output in displayed)
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert widget["text/plain"] == "lora: the last picture is below"
    assert set(picture) == {"text/plain", "image/png"}
    pixels = image.imread(io.BytesIO(picture["image/png"]))
    assert pixels.shape[1] == 860


def test_the_picture_holds_the_chips_too(make_run):
    run = make_run(*DONE)
    board = wb.dashboard(run)
    without = image.imread(io.BytesIO(board.picture()))
    preview(run)
    board.refresh()
    assert image.imread(io.BytesIO(board.picture())).shape[0] > without.shape[0] + 100


def test_its_picture_shows_the_end_and_a_resumed_run_is_followed_again(
        make_run, displayed, kernel, monkeypatch):
    monkeypatch.setattr(dashboard, "EVERY_S", 0.01)
    monkeypatch.setattr(dashboard, "REST_S", 0.01)
    run = make_run(started(), step(1))
    with writing(run.folder):
        write(run, step(2))
        board = wb.dashboard(run)
        board._ipython_display_()
        write(run, *DONE[3:9], RunStopped(step=8, reason="asked to stop"))

    def picture() -> str:
        return displayed[-1]["data"]["text/plain"] if displayed[-1].get("update") else ""

    until(lambda: picture().startswith("lora · stopped"))
    with writing(run.folder):
        write(run, RunResumed(step=8, epoch=1, device="cpu"))
        until(lambda: board.widget.runs[0]["state"] == "running")
        write(run, *DONE[9:])
    until(lambda: picture().startswith("lora · finished"))
    count = len(displayed)
    board.close()
    board._thread.join(20)
    assert len(displayed) == count, "a run that is over is drawn once"


def test_running_a_cell_again_closes_what_it_showed_before(make_run, displayed, kernel):
    run = make_run(started(), step(1))
    with writing(run.folder):
        write(run, step(2))
        boards = [wb.dashboard(run) for _ in range(4)]
        for board, (cell, execution) in zip(
                boards, [("a", "1"), ("a", "1"), ("b", "2"), ("a", "3")], strict=True):
            kernel(cell, execution)
            board._ipython_display_()
        assert [board._closed.is_set() for board in boards] == [True, True, False, False]
        for board in boards:
            board.close()
        for board in boards:
            board._thread.join(20)
            assert not board._thread.is_alive()


def test_it_is_not_taken_away_in_the_middle_of_a_look(make_run, monkeypatch):
    board, order = wb.dashboard(make_run(*DONE)), []
    close, show = board.widget.close, board.widget.show
    closing = threading.Thread(target=board.close)

    def slowly_shown(**how) -> None:
        closing.start()
        assert board._closed.wait(20)
        show(**how)
        order.append("shown")

    monkeypatch.setattr(board.widget, "show", slowly_shown)
    monkeypatch.setattr(board.widget, "close", lambda: order.append("closed") or close())
    board.refresh(now=True)
    closing.join(20)
    assert order == ["shown", "closed"]
    assert not board.refresh()
    assert order == ["shown", "closed"], "nothing is shown any more"


def test_lines_keep_their_order_when_a_clock_is_put_back(make_run):
    run = make_run(started(), WarningRaised(time=5000.0, message="first"),
                   WarningRaised(time=10.0, message="second"))
    other = make_run(started(), WarningRaised(time=100.0, message="other"), name="other")
    lines = [line["text"] for line in wb.dashboard([run, other]).widget.lines]
    assert lines.index("first") < lines.index("second")
    assert lines.index("other") < lines.index("first")


def test_no_runs_and_no_folder_are_told(tmp_path):
    with pytest.raises(DataError, match="no runs to show"):
        wb.dashboard([])
    with pytest.raises(RunError, match="no run folder"):
        wb.dashboard(tmp_path / "nowhere")
