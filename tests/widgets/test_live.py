from __future__ import annotations

from tests.widgets.conftest import epoch, started, step, write
from workbench.events import RunStopped
from workbench.runs.lock import writing
from workbench.widgets import live
from workbench.widgets.live import LiveView


def test_one_output_is_a_widget_while_it_trains_and_then_a_picture(make_run, displayed):
    run = make_run(started())
    view = LiveView(run)
    with writing(run.folder):
        for event in (step(1), step(2), epoch(0), RunStopped(reason="interrupted")):
            write(run, event)
            view.update(event)
    assert view._board.widget.buttons is False
    view.close()
    first, last = displayed
    assert "application/vnd.jupyter.widget-view+json" in first["data"]
    assert last["update"]
    assert first["transient"] == last["transient"]
    assert set(last["data"]) == {"text/plain", "image/png"}
    assert last["data"]["text/plain"].startswith("lora · stopped")


def test_it_looks_twice_a_second_at_most(make_run, displayed, monkeypatch):
    looks = []
    monkeypatch.setattr(live.Dashboard, "refresh", lambda *_, **__: looks.append(1))
    view = LiveView(make_run(started()))
    for number in range(1, 200):
        view.update(step(number))
    assert len(looks) < 100
    assert len(displayed) == 1


def test_a_run_that_said_nothing_shows_nothing(make_run, displayed):
    LiveView(make_run()).close()
    assert not displayed
