from __future__ import annotations

import dataclasses

import pytest

from tests.runs.conftest import epoch, finished, started, step
from workbench.events import FeaturesCached, RunFailed, RunPaused, WarningRaised
from workbench.runs.words import level, words


@pytest.mark.parametrize(("event", "how", "said"), [
    (started(), "info", "1.2 k of 3.1 M parameters learn on cpu"),
    (dataclasses.replace(started(), trainable_parameters=0), "info", "no parameter learns, on cpu"),
    (step(1), "info", ""),
    (epoch(0), "info", ""),
    (RunPaused(step=3), "info", "paused after step 3, its checkpoint written"),
    (FeaturesCached(chips=9, duration_s=61.0, disk_bytes=2_000_000), "info",
     "features of 9 chips computed in 1 min 01 s; 2.0 MB on disk"),
    (WarningRaised(message="two chips overlap"), "warning", "two chips overlap"),
    (RunFailed(error="CUDA out of memory", traceback=""), "error", "CUDA out of memory"),
    (finished(), "info", "all 2 epochs are done; best epoch 2; peak memory 600.0 MB"),
])
def test_an_event_is_said_in_a_line_unless_its_numbers_say_it(event, how, said):
    assert (level(event), words(event)) == (how, said)
