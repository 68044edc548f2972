from __future__ import annotations

import dataclasses
import json

import pytest

from workbench import events
from workbench.errors import UnknownNameError

EXAMPLES = [
    events.RunStarted(epochs=2, steps_per_epoch=3, device="cpu", trainable_parameters=10,
                      total_parameters=100),
    events.RunResumed(step=3, epoch=1, device="cpu"),
    events.StepDone(step=1, loss=0.5, lr=1e-3, samples_per_s=3.0, host_rss_bytes=5),
    events.EpochDone(train_loss=0.5, val_loss=0.4, val_miou=0.7, lr=1e-3, best=True,
                     val_miou_by_region={"Bolivia": 0.6, "Ghana": None}, duration_s=1.0),
    events.FeaturesCached(step=3, chips=12, duration_s=2.5, disk_bytes=7),
    events.WarningRaised(message="«one» line\nor two"),
    events.RunFinished(reason="early stopping", best_epoch=1, duration_s=3.0,
                       peak_host_rss_bytes=7),
    events.RunPaused(step=3),
    events.RunUnpaused(step=3),
    events.RunStopped(reason="on request"),
    events.RunFailed(error="ValueError", traceback="Traceback …", advice="another file"),
    events.RunImported(origin="best.ckpt"),
]


def test_every_kind_has_an_example_here() -> None:
    assert {type(event) for event in EXAMPLES} == set(events.KINDS.values())


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.kind)
def test_an_event_is_one_line_and_comes_back_equal(event: events.Event) -> None:
    line = event.to_json()
    assert "\n" not in line
    assert json.loads(line)["kind"] == event.kind
    assert events.Event.from_json(line) == event


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLES[0].step = 3  # type: ignore[misc]


def test_values_that_are_not_finite_become_null_wherever_they_stand() -> None:
    event = events.EpochDone(train_loss=float("nan"), val_loss=float("inf"), val_miou=None, lr=0.1,
                             best=False, val_miou_by_region={"a": float("-inf")}, duration_s=1.0)
    read = json.loads(event.to_json())
    assert (read["train_loss"], read["val_loss"]) == (None, None)
    assert read["val_miou_by_region"] == {"a": None}


def test_fields_of_a_newer_version_are_dropped() -> None:
    line = json.dumps({**json.loads(EXAMPLES[1].to_json()), "colour": "red"})
    assert events.Event.from_json(line) == EXAMPLES[1]


def test_an_unknown_kind_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'step_done'"):
        events.Event.from_json('{"kind": "step_dne"}')


def test_exactly_four_kinds_end_a_run() -> None:
    assert {kind for kind, cls in events.KINDS.items() if cls.terminal} == {
        "run_finished", "run_stopped", "run_failed", "run_imported"}


def test_time_is_stamped_when_the_event_is_made() -> None:
    first, second = (events.RunStopped(reason="x") for _ in range(2))
    assert 1.6e9 < first.time <= second.time
