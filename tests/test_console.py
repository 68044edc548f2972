from __future__ import annotations

import dataclasses
import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.runs.conftest import epoch, finished, started, step
from workbench.console import TerminalView
from workbench.events import (
    RunFailed,
    RunPaused,
    RunResumed,
    RunStopped,
    RunUnpaused,
    WarningRaised,
)


def shown(*events, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, color_system=None)
    view = TerminalView(Path("runs") / "lora [x]", console)
    for event in events:
        view.update(event)
    view.close()
    return text.getvalue()


def last_picture(*events) -> list[str]:
    """Return the lines that are left standing, without the blanks that fill them."""
    text = shown(*events, terminal=True)
    return [line.rstrip() for line in text[text.rindex("lora [x] · ") :].splitlines()]


def test_a_terminal_sees_losses_scores_by_region_rate_speed_memory_and_time_left(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1075.0)
    begun = dataclasses.replace(started(), time=1000.0)
    on_a_card = dataclasses.replace(
        step(3, loss=0.25), time=1070.0, eta_s=130.0, device_memory_bytes=3 * 10**9,
        device_peak_bytes=4 * 10**9, device_capacity_bytes=80 * 10**9,
    )  # fmt: skip
    scored = dataclasses.replace(
        epoch(0, 0.7123), time=1060.0,
        val_miou_by_region={"ghana": 0.71, "spain": 0.66, "usa": None},
        held_out_miou_by_region={"bolivia": 0.5},
        val_iou_by_class={"land": 0.9, "[water]": 0.52, "ice": None},
    )  # fmt: skip
    assert last_picture(begun, scored, on_a_card) == [
        "lora [x] · epoch 2/2 · ETA 2 min 10 s",
        "  loss       training 0.250 · validation 0.400",
        "  val mIoU   71.2 % · best by loss: epoch 1",
        "  by region  Ghana 71.0 % · Spain 66.0 %",
        "  by class   land 90.0 % · [water] 52.0 %",
        "  held out   Bolivia 50.0 % (watched)",
        "  speed      10.0 chips/s · learning rate 1e-3",
        "  memory     3.0 GB now, 4.0 GB at most of 80.0 GB on the device · 500.0 MB on the host",
        "  elapsed    1 min 15 s",
        "\x1b[?25h",
    ]


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([], "starting"),
        ([started(), step(1), RunPaused(step=1)], "epoch 1/2 · paused"),
        ([started(), step(1), RunPaused(step=1), RunUnpaused(step=1)], "epoch 1/2 · ETA –"),
        ([started(), step(2)], "epoch 1/2 · validating · ETA –"),
        ([started(), step(1), epoch(1), finished()], "epoch 1/2 · finished"),
    ],
)
def test_the_picture_says_how_the_run_stands(events, standing):
    assert last_picture(*events)[0] == f"lora [x] · {standing}"


def test_the_score_of_the_weights_that_are_kept_stands_beside_the_newest():
    worse = dataclasses.replace(epoch(1, 0.6), best=False)
    assert ("  val mIoU   60.0 % · best by loss: epoch 1, 71.0 %"
            in last_picture(started(), step(1), step(2), epoch(0, 0.71), step(3), worse))


def test_ctrl_c_behind_the_last_line_breaks_none():
    regions = {f"region-{number}": 0.5 for number in range(40)}
    picture = last_picture(started(), step(1), step(2),
                           dataclasses.replace(epoch(0), val_miou_by_region=regions), step(3))
    assert max(map(len, picture)) + len("^C") < 100
    assert sum(line.count("Region-") == line.count(" %") > 1 for line in picture) > 5


def test_a_pipe_gets_a_line_an_epoch():
    first, last = (dataclasses.replace(event, eta_s=eta_s)
                   for event, eta_s in ((epoch(0), 130.0), (epoch(1, None), 0.0)))
    lines = shown(started(), step(1), step(2), first, step(3), last, finished(),
                  terminal=False).splitlines()
    assert len(lines) == 4
    assert lines[0] == "lora [x]: 1.2 k of 3.1 M parameters learn on cpu"
    assert lines[1].startswith(
        "lora [x]: epoch 1/2 · loss 0.500 · val loss 0.400 · val mIoU 50.0 % · best"
    )
    assert lines[1].endswith("best · ETA 2 min 10 s")
    assert "ETA" not in lines[2]
    assert lines[3] == ("lora [x]: all 2 epochs are done; best epoch 2; peak memory "
                        "600.0 MB; scores of test and held-out regions come next")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (WarningRaised(message="two [chips] overlap"), "warning: two [chips] overlap"),
        (RunPaused(step=3), "paused after step 3, its checkpoint written"),
        (RunStopped(step=3, reason="interrupted"),
         "stopped after step 3 (interrupted); `workbench fit --resume 'runs/lora [x]'` goes on"),
        (RunFailed(error="TrainingError: too hot", traceback=""), "failed: TrainingError: too hot"),
        (RunResumed(step=7, device="cpu"), "goes on after step 7"),
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_what_the_user_should_know_is_said(event, words, terminal):
    assert words in shown(started(), event, terminal=terminal)
