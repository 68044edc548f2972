from __future__ import annotations

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from workbench.events import EpochDone, RunFailed, RunFinished, RunStarted, StepDone
from workbench.widgets import live
from workbench.widgets.live import LiveView, summary

STARTED = RunStarted(epochs=3, steps_per_epoch=2, device="cpu", trainable_parameters=1,
                     total_parameters=2)


def step(number: int, eta_s: float | None = 61.0) -> StepDone:
    return StepDone(step=number, epoch=(number - 1) // 2, loss=1 / number, lr=1e-3,
                    samples_per_s=1.0, host_rss_bytes=10**9, eta_s=eta_s)


def epoch(number: int, miou: float) -> EpochDone:
    return EpochDone(step=2 * number + 2, epoch=number, train_loss=1.0, val_loss=1.0,
                     val_miou=miou, val_miou_by_region={}, lr=1e-3, best=True, duration_s=1.0)


@pytest.fixture
def displayed(tmp_path, monkeypatch):
    """What IPython is asked to display."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_one_output_is_drawn_anew_and_stays_as_a_picture(displayed, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    monkeypatch.setattr(live, "SHARE", 1e9)
    view = LiveView("lora")
    for event in (STARTED, step(1), step(2), epoch(0, 0.5)):
        view.update(event)
    view.close()
    ids = {output["transient"]["display_id"] for output in displayed}
    assert len(ids) == 1
    assert [output.get("update", False) for output in displayed] == [False, True, True, True]
    last = displayed[-1]["data"]
    assert last["image/png"].startswith(b"\x89PNG") or last["image/png"].startswith("iVBOR")
    assert not [kind for kind in last if "widget" in kind]


def test_it_redraws_at_most_once_a_second(displayed):
    view = LiveView("lora")
    view.update(STARTED)
    for number in range(1, 50):
        view.update(step(number))
    assert len(displayed) == 1


def test_a_run_that_never_stepped_shows_nothing(displayed):
    view = LiveView("lora")
    view.update(STARTED)
    view.close()
    assert not displayed


def test_the_line_above_says_how_far_and_how_long():
    assert summary("lora", [STARTED, step(1)]) == "lora · epoch 1 of 3 · 1 min 01 s left"
    assert "best validation mIoU 60.0 %" in summary("lora", [STARTED, epoch(0, 0.6), epoch(1, 0.5)])


def test_the_line_above_says_how_it_ended():
    finished = RunFinished(epoch=2, reason="all 3 epochs are done", best_epoch=1, duration_s=75.0,
                           peak_host_rss_bytes=1)
    assert summary("lora", [STARTED, step(1), finished]).endswith(
        "finished in 1 min 15 s · all 3 epochs are done")
    failed = RunFailed(error="loss is not finite", traceback="")
    assert summary("lora", [STARTED, failed]).endswith("failed · loss is not finite")
