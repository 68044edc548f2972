"""The process that analyses and probes: real steps, and nothing left of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
import torch

from tests.estimation.conftest import problem
from workbench.data import Split
from workbench.estimation import forecast as forecasting
from workbench.estimation.analysis import analyse
from workbench.estimation.forecast import Forecast
from workbench.estimation.worker import Worker
from workbench.recipe import Recipe

CPU = torch.device("cpu")
RECIPE = Recipe(decoder="linear", batch_size=3)
ASKED = {"device": "cpu", "precision": "fp32", "problem": problem(RECIPE).to_json()}
# A process starts and torch is imported, on a busy machine.
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()
    assert not psutil.pid_exists(worker.pid)


def test_it_says_what_this_process_would_find(worker: Worker) -> None:
    (answer,) = worker.ask({**ASKED, "kind": "analyse"}, PATIENCE_S)
    assert answer == analyse(problem(RECIPE), "fp32").to_json() | {"peak": answer["peak"]}
    assert sum(answer["peak"][:4]) == pytest.approx(
        analyse(problem(RECIPE), "fp32").peak.total, 0.02)


def test_it_takes_real_steps_with_a_few_chips_and_then_with_all(worker: Worker) -> None:
    request = {**ASKED, "kind": "probe", "seconds": PATIENCE_S, "free_bytes": 10**12,
               "direct": False}  # fmt: skip
    small, whole = worker.ask(request, PATIENCE_S)
    assert (small["batch_size"], whole["batch_size"]) == (2, 3)
    assert whole["rise_bytes"] >= small["rise_bytes"] > 0
    assert whole["step_s"] > whole["forward_s"] > 0


def test_a_probe_keeps_within_the_memory_it_is_given(worker: Worker) -> None:
    request = {**ASKED, "kind": "probe", "seconds": PATIENCE_S, "free_bytes": 1,
               "direct": False}  # fmt: skip
    assert [answer["batch_size"] for answer in worker.ask(request, PATIENCE_S)] == [2]


def test_its_errors_are_told_and_it_goes_on(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'problem'"):
        list(worker.ask({"kind": "analyse", "device": "cpu"}, PATIENCE_S))
    assert list(worker.ask({"kind": "device", "device": "cpu", "precision": "fp32"}, PATIENCE_S))


@pytest.mark.slow
def test_it_dies_with_the_process_that_asks() -> None:
    code = ("from workbench.estimation.worker import Worker; import os, signal; "
            "print(Worker().pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)")  # fmt: skip
    asking = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    orphan = int(asking.stdout)
    if psutil.pid_exists(orphan):
        psutil.wait_procs([psutil.Process(orphan)], timeout=PATIENCE_S)
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == "zombie"


@pytest.mark.slow
def test_a_probe_that_is_late_leaves_the_analysis_and_nothing_else(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasting, "PROBE_S", 0.01)
    with Forecast(split, CPU) as forecast:
        late = forecast._worker.pid
        forecast.probe(RECIPE)
        assert not psutil.pid_exists(late)
        assert forecast.memory(RECIPE).basis == "analytical"
        assert forecast.pace(RECIPE).basis == "analytical"
        assert forecast.pace(RECIPE).step_s > 0


@pytest.mark.slow
def test_without_its_process_an_estimate_is_made_here(split: Split) -> None:
    with Forecast(split, CPU) as forecast:
        forecast._worker.close()
        forecast.probe(RECIPE)
        assert forecast.memory(RECIPE).total > 0


def test_an_answer_that_is_cut_off_by_the_end_of_the_process_is_none(
        monkeypatch: pytest.MonkeyPatch) -> None:
    ends = "import sys; sys.stdin.readline(); sys.stdout.write('{\"done\": tr')"
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: start(
        [sys.executable, "-c", ends], **how))  # fmt: skip
    worker = Worker()
    with pytest.raises(RuntimeError, match="the process has died"):
        list(worker.ask(ASKED, PATIENCE_S))
    worker.close()
