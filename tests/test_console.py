from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.runs.conftest import epoch, finished, started, step
from workbench.console import TerminalView
from workbench.events import RunFailed, RunResumed, RunStopped, WarningRaised


def shown(*events, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=200, color_system=None)
    view = TerminalView(Path("runs") / "lora [x]", console)
    for event in events:
        view.update(event)
        view._bar.refresh()
    view.close()
    return text.getvalue()


def test_a_terminal_sees_a_bar_with_loss_score_speed_and_time_left():
    text = shown(started(), step(1), step(2), epoch(0, 0.7123), step(3, loss=0.25), finished(),
                 terminal=True)
    assert "epoch 2/2 · loss 0.250 · val mIoU 71.2 % · ETA – · 10.0 chips/s" in text
    assert "lora [x]: all 2 epochs are done, in 4 s; best epoch 2; peak memory 600.0 MB" in text


def test_a_pipe_gets_a_line_an_epoch():
    lines = shown(started(), step(1), step(2), epoch(0), step(3), epoch(1, None), finished(),
                  terminal=False).splitlines()
    assert len(lines) == 4
    assert lines[0] == "lora [x]: 1.2 k of 3.1 M parameters learn on cpu"
    assert lines[1].startswith(
        "lora [x]: epoch 1/2 · loss 0.500 · val loss 0.400 · val mIoU 50.0 % · best"
    )


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (WarningRaised(message="two [chips] overlap"), "warning: two [chips] overlap"),
        (RunStopped(step=3, reason="interrupted"), "wb.resume('runs/lora [x]') goes on"),
        (RunFailed(error="TrainingError: too hot", traceback=""), "failed: TrainingError: too hot"),
        (RunResumed(step=7, device="cpu"), "goes on after step 7"),
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_what_the_user_should_know_is_said(event, words, terminal):
    assert words in shown(started(), event, terminal=terminal)
