from __future__ import annotations

import time

import pytest

from tests.widgets.conftest import epoch, started, step, write
from workbench.errors import RunError
from workbench.events import (
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStopped,
    RunUnpaused,
    WarningRaised,
)
from workbench.runs import control
from workbench.runs.lock import writing
from workbench.widgets.following import LOG_LENGTH, LOG_LINES, Follower


def following(run) -> Follower:
    follower = Follower(run)
    follower.read()
    return follower


def facts(follower: Follower) -> dict[str, str]:
    return {fact["label"]: fact["value"] for fact in follower.facts()}


def test_what_is_new_is_taken_in_at_each_look(make_run):
    run = make_run(started(), step(1))
    with writing(run.folder):
        write(run, step(2))
        follower = following(run)
        assert follower.state == "running"
        assert follower.headline() == "epoch 1 of 3 · step 2 of 4"
        assert facts(follower)["left, at most"] == "1 min 01 s"
        write(run, step(3), step(4), epoch(0, 0.5), step(5))
        follower.read()
        assert follower.headline() == "epoch 2 of 3 · step 1 of 4"
        assert follower.progress() == 5 / 12
    assert [row[0] for row in follower.steps.rows] == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert follower.regions == ["ghana", "spain"]
    assert follower.classes == ["land", "water"]
    assert follower.epochs[0][5:] == [[0.5, None], [], [0.9, None]]
    assert facts(follower)["validation mIoU"] == "50.0 %"


def test_it_says_what_was_asked_until_it_is_done(make_run):
    run = make_run(started(), step(1))
    with writing(run.folder):
        write(run, step(2))
        follower = following(run)
        for wish, words in ((control.PAUSE, "pausing"), (control.STOP_AFTER_EPOCH, "this epoch"),
                            (control.STOP, "stopping after this step")):
            follower.ask(wish)
            assert words in follower.wish
        control.clear(run.folder)
        follower.ask(control.PAUSE)
        write(run, RunPaused(step=2))
        follower.read()
        assert (follower.state, follower.wish) == ("paused", "")
        assert facts(follower)["left, at most"] == "–"


def test_a_run_that_is_over_cannot_be_asked(make_run):
    with pytest.raises(RunError, match="not being trained"):
        following(make_run(started(), step(1))).ask(control.PAUSE)


def test_what_a_resumed_run_superseded_is_gone(make_run):
    run = make_run(started(), *map(step, range(1, 5)), epoch(0), step(5), step(6))
    follower = following(run)
    write(run, RunResumed(step=4, epoch=1, device="cpu"), step(5, loss=9.0))
    follower.read()
    assert [row[1] for row in follower.steps.rows][-2:] == [0.25, 9.0]
    assert len(follower.epochs) == 1
    assert follower.log[-1].text == "goes on after step 4 on cpu"


def test_time_does_not_pass_while_it_is_paused(make_run):
    run = make_run(started(), step(4), RunPaused(step=4, time=1005.0),
                   RunUnpaused(step=4, time=5000.0), step(5))
    assert facts(following(run))["elapsed"] == "5 s"


def test_nor_between_a_stop_and_the_morning_after(make_run):
    run = make_run(started(), *map(step, range(1, 5)), epoch(0),
                   RunStopped(step=4, reason="asked to stop", time=1005.0),
                   RunResumed(step=4, epoch=1, device="cpu", time=90_000.0),
                   step(5, time=90_002.0))
    assert facts(following(run))["elapsed"] == "6 s"


def test_the_clock_goes_on_during_a_long_step(make_run, monkeypatch):
    run = make_run(started())
    with writing(run.folder):
        write(run, step(1))
        follower = following(run)
        monkeypatch.setattr(time, "time", lambda: 1042.0)
        assert facts(follower)["elapsed"] == "42 s"


def test_it_says_what_takes_its_time_where_no_step_is_done(make_run, monkeypatch):
    run = make_run()
    with writing(run.folder):
        follower = following(run)
        begun = time.time()
        monkeypatch.setattr(time, "time", lambda: begun + 75)
        assert follower.headline() == "opening data and model · 1 min 15 s"
        write(run, started(), *map(step, range(1, 5)))
        follower.read()
        assert follower.headline() == "epoch 1 of 3 · validating"
        write(run, epoch(0), RunFinished(reason="done", best_epoch=0, duration_s=1.0,
                                         peak_host_rss_bytes=1))
        follower.read()
        assert follower.headline() == "epoch 1 of 3 · scoring test and held-out regions"
        assert follower.busy
    follower.read()
    assert follower.headline() == "epoch 1 of 3"
    assert not follower.busy


def test_the_score_that_is_said_is_that_of_the_weights_that_are_kept(make_run):
    follower = following(make_run(started(), epoch(0, 0.5), epoch(1, 0.7, best=False)))
    score = next(fact for fact in follower.facts() if fact["label"] == "validation mIoU")
    assert (score["value"], score["note"]) == ("50.0 %", "epoch 1, lowest loss")


def test_speed_is_not_that_of_the_last_incomplete_batch(make_run):
    steps = [step(number, samples_per_s=20.0) for number in range(1, 10)]
    follower = following(make_run(started(), *steps, step(10, samples_per_s=300.0)))
    assert facts(follower)["speed"] == "20.0 chips/s"


@pytest.mark.parametrize(("event", "kind", "words"), [
    (RunFailed(error="CUDA out of memory", traceback="", advice="Halve the batch."), "failed",
     "CUDA out of memory – Halve the batch."),
    (RunStopped(step=4, reason="asked to stop"), "stopped",
     "after step 4 (asked to stop). There is no checkpoint yet"),
    (RunFinished(reason="all 3 epochs are done", best_epoch=1, duration_s=1.0,
                 peak_host_rss_bytes=1), "finished", "All 3 epochs are done; best epoch 2."),
])
def test_how_it_ended_and_what_to_do_is_said(make_run, event, kind, words):
    follower = following(make_run(started(), step(4), event))
    assert follower.notice()["kind"] == kind
    assert words in follower.notice()["text"]
    assert "left, at most" not in facts(follower)


def test_a_process_that_went_without_a_word_is_told(make_run):
    follower = following(make_run(started(), step(1)))
    assert follower.state == "killed"
    assert "wb.resume('" in follower.notice()["text"]


def test_every_warning_is_a_line_of_a_log_that_stays_short(make_run):
    many = [WarningRaised(message=f"number {number}") for number in range(100)]
    follower = following(make_run(started(), *many, WarningRaised(message="x" * 1000)))
    assert len(follower.log) == LOG_LINES
    assert follower.log[-2] == (many[-1].time, "warning", "number 99")
    assert len(follower.log[-1].text) < LOG_LENGTH + 40


def test_memory_of_a_device_comes_with_its_peak_and_a_share_of_the_card(make_run):
    follower = following(make_run(started(), step(
        1, device_memory_bytes=2 * 10**9, device_peak_bytes=6 * 10**9,
        device_capacity_bytes=24 * 10**9)))
    device = next(fact for fact in follower.facts() if fact["label"] == "device memory")
    assert (device["value"], device["note"]) == ("2.0 GB", "peak 6.0 GB of 24.0 GB")
    assert device["share"] == 0.25


def test_held_out_regions_are_there_only_if_they_are_watched(make_run):
    follower = following(make_run(started(), epoch(0)))
    assert (follower.held_out, follower.unwatched) == ([], ("bolivia",))
    watched = epoch(0, held_out_miou_by_region={"bolivia": 0.4})
    follower = following(make_run(started(), watched, name="watched"))
    assert (follower.held_out, follower.epochs[0][6]) == (["bolivia"], [0.4])
    assert follower.unwatched == ()
