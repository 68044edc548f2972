from __future__ import annotations

import pytest

from tests.runs.conftest import finished, started, step, write
from workbench.errors import RunError
from workbench.events import RunPaused, RunUnpaused, WarningRaised
from workbench.runs import control
from workbench.runs.lock import writing


def test_wishes_are_seen_until_they_are_taken_back_or_forgotten(tmp_path):
    assert control.wishes(tmp_path) == frozenset()
    control.request(tmp_path, "pause")
    control.request(tmp_path, "stop_after_epoch")
    control.request(tmp_path, "stop_after_epoch")
    assert control.wishes(tmp_path) == {"pause", "stop_after_epoch"}
    control.request(tmp_path, "unpause")
    control.request(tmp_path, "unpause")
    assert control.wishes(tmp_path) == {"stop_after_epoch"}
    control.clear(tmp_path)
    assert control.wishes(tmp_path) == frozenset()


def test_a_wish_that_nobody_knows_is_our_own_mistake(tmp_path):
    with pytest.raises(AssertionError):
        control.request(tmp_path, "halt")


def test_a_run_in_training_takes_wishes(run):
    with writing(run.folder):
        run.pause()
        run.stop(after_epoch=True)
        assert control.wishes(run.folder) == {"pause", "stop_after_epoch"}
        run.unpause()
        run.stop()
        assert control.wishes(run.folder) == {"stop", "stop_after_epoch"}


def test_wishes_to_a_dead_run_are_not_obeyed_by_the_next_training(run):
    control.request(run.folder, "stop")
    with writing(run.folder):
        assert control.wishes(run.folder) == frozenset()


@pytest.mark.parametrize("wish", ["pause", "unpause", "stop"])
def test_a_run_that_is_not_trained_takes_no_wishes(run, wish):
    write(run, started(), step(1))
    with pytest.raises(RunError, match=rf"cannot {wish}: it is killed\. wb\.resume"):
        getattr(run, wish)()
    assert control.wishes(run.folder) == frozenset()


def test_a_finished_run_is_not_told_to_go_on(run):
    write(run, started(), finished())
    with pytest.raises(RunError, match=r"cannot stop after epoch: it is finished\.$"):
        run.stop(after_epoch=True)


def test_a_paused_run_says_so_while_its_process_lives(run):
    with writing(run.folder):
        write(run, started(), step(1), RunPaused(step=1), WarningRaised(message="late"))
        assert run.state == "paused"
        write(run, RunUnpaused(step=1))
        assert run.state == "running"
        write(run, RunPaused(step=1))
    assert run.state == "killed"


def test_a_process_that_has_said_nothing_yet_is_starting(run):
    with writing(run.folder):
        assert run.state == "starting"
        write(run, started())
        assert run.state == "running"
    with writing(run.folder):
        assert run.state == "starting"


def test_nothing_is_left_to_obey_when_a_training_has_ended(run):
    with writing(run.folder):
        run.stop()
    assert not (run.folder / "control").exists()
