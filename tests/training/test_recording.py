from __future__ import annotations

import errno
import os
import resource
import shutil
import signal

import pytest
import torch
from safetensors import SafetensorError

from tests.training.conftest import same, tensors
from workbench.assembly import files
from workbench.errors import OutOfSpaceError, RunError, TrainingError
from workbench.events import EpochDone, RunFailed, RunFinished, StepDone
from workbench.runs import open_run
from workbench.runs.control import STOP_AFTER_EPOCH, request, wishes
from workbench.runs.failures import why
from workbench.training import loop, train


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def drain(events, before=lambda event: None):
    seen = []
    for event in events:
        seen.append(event)
        before(event)
    return seen


def test_the_log_has_a_line_an_event_but_none_a_step(split, recipe, folder):
    events = drain(train(recipe, split, folder))
    lines = (folder / "log.txt").read_text().splitlines()
    assert len(lines) == sum(not isinstance(event, StepDone) for event in events)
    assert "run_finished" in lines[-1]
    assert "all 3 epochs are done" in lines[-1]


def test_an_error_of_a_library_ends_the_run_with_its_traceback_and_one_paragraph(
    split, recipe, folder, monkeypatch
):
    def broken(*_, **__):
        raise KeyError("a library's mistake")

    monkeypatch.setattr(loop, "validate", broken)
    seen = []
    with pytest.raises(TrainingError, match="'run' failed in epoch 1 after step 3") as caught:
        drain(train(recipe, split, folder), seen.append)
    assert "\n" not in str(caught.value)
    assert "wb.resume" in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)
    failed = open_run(folder).events()[-1]
    assert failed == seen[-1]
    assert isinstance(failed, RunFailed)
    assert "broken" in failed.traceback
    assert "a library's mistake" in (folder / "log.txt").read_text()
    assert open_run(folder).state == "failed"


def full_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
    MemoryError(), MemoryError("Unable to allocate 2 GiB"),
], ids=lambda error: f"{type(error).__name__} {error}"[:40].strip())
def test_out_of_memory_says_what_to_change(split, recipe, folder, monkeypatch, error):
    def full_memory(*_, **__):
        raise error

    monkeypatch.setattr(loop, "validate", full_memory)
    with pytest.raises(TrainingError, match=r"smaller batch \(recipe\.but\(batch_size"):
        drain(train(recipe, split, folder))
    assert "smaller batch" in open_run(folder).events()[-1].advice


def test_out_of_memory_is_answered_with_what_would_fit(split, recipe, folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", full_memory)
    with pytest.raises(TrainingError, match=r"– batch_size=2 of run would fit\. There is no"):
        drain(train(recipe, split, folder,
                    advise=lambda run: f"batch_size=2 of {run.name} would fit."))
    assert open_run(folder).events()[-1].advice == "batch_size=2 of run would fit."


def test_advice_that_fails_leaves_the_first_error_standing(split, recipe, folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", full_memory)
    with pytest.raises(TrainingError, match=r"CUDA out of memory – The memory is full: use a"):
        drain(train(recipe, split, folder, advise=lambda run: 1 / 0))


def test_an_error_of_a_library_points_to_the_log_and_one_of_ours_carries_its_advice(
    split, recipe, folder, monkeypatch
):
    def broken(*_, **__):
        raise KeyError("x")

    def not_finite(*_, **__):
        raise TrainingError("The loss is not finite; try a lower learning rate.")

    monkeypatch.setattr(loop, "validate", broken)
    with pytest.raises(TrainingError):
        drain(train(recipe, split, folder))
    assert open_run(folder).events()[-1].advice.endswith(f"is in {folder / 'log.txt'}.")
    monkeypatch.setattr(loop, "validate", not_finite)
    with pytest.raises(TrainingError):
        drain(train(recipe, split, folder, resume=True))
    assert open_run(folder).events()[-1].advice == ""


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_moved_ends_its_training_and_nothing_is_written_where_it_was(
    split, recipe, folder, tmp_path, replaced
):
    def move(event):
        if isinstance(event, StepDone) and event.step == 4:
            folder.rename(tmp_path / "moved")
            if replaced:
                shutil.copytree(tmp_path / "moved", folder)
                request(folder, STOP_AFTER_EPOCH)

    with pytest.raises(RunError, match="was moved or deleted while it was trained"):
        drain(train(recipe, split, folder), move)
    if replaced:  # as it was copied
        assert open_run(folder).state == "killed"
        assert open_run(folder).events()[-1].step == 4
        assert wishes(folder) == {STOP_AFTER_EPOCH}
    else:
        assert not folder.exists()
    assert open_run(tmp_path / "moved").state == "failed"
    assert "was moved" in why(open_run(tmp_path / "moved"))
    assert isinstance(drain(train(recipe, split, tmp_path / "moved", resume=True))[-1], RunFinished)


def test_a_folder_that_is_deleted_stays_deleted(split, recipe, folder):
    def delete(event):
        if isinstance(event, StepDone) and event.step == 4:
            shutil.rmtree(folder)

    with pytest.raises(RunError, match="was moved or deleted while it was trained"):
        drain(train(recipe, split, folder), delete)
    assert not folder.exists()


def test_an_interrupt_at_once_is_written_down(split, recipe, folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drain(train(recipe, split, folder))
    assert open_run(folder).events()[-1].error.startswith("KeyboardInterrupt")


@pytest.mark.parametrize("who", ["synced files", "safetensors"])
def test_a_full_disk_leaves_the_last_checkpoint_whole(split, recipe, folder, monkeypatch, who):
    def full_disk(event):
        if not (isinstance(event, StepDone) and event.step == 5):
            return
        nonlocal before
        before = tensors(folder / "checkpoints" / "last")
        if who == "safetensors":
            def save(*_):
                raise SafetensorError("I/O error: No space left on device (os error 28)")
            monkeypatch.setattr(files, "save_file", save)
            return
        synced, calls = os.fsync, iter(range(99))

        def sync(file: int) -> None:
            if next(calls):  # the first is the journal's
                raise OSError(errno.ENOSPC, "No space left on device")
            synced(file)
        monkeypatch.setattr(os, "fsync", sync)

    before: dict = {}
    seen: list = []
    with pytest.raises(OutOfSpaceError, match=r"No space left .*is whole; wb\.resume.* goes on"):
        drain(train(recipe, split, folder), lambda event: (seen.append(event), full_disk(event)))
    assert isinstance(seen[-1], RunFailed)
    assert seen[-1].error == f"OutOfSpaceError: No space left on the disk of {folder}"
    assert "run the same call again" not in repr(open_run(folder))
    assert open_run(folder).state == "failed"
    assert before
    assert same(before, tensors(folder / "checkpoints" / "last"))
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best", "last"]
    monkeypatch.undo()
    run = open_run(folder)
    assert sum(isinstance(event, EpochDone) for event in run.events()) == 2


@pytest.mark.parametrize("limit", ["checkpoint", "journal"])
def test_a_limit_of_the_size_of_files_is_told_by_its_name_and_goes_on_once_it_is_raised(
    split, recipe, folder, limit
):
    def limited(event):
        if isinstance(event, StepDone) and event.step == 4:
            journal = (folder / "events.jsonl").stat().st_size
            size = journal + 50_000 if limit == "checkpoint" else journal
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OutOfSpaceError, match=r"larger than this .*so its training "
                           r"ended\. Raise the limit \(`ulimit -f.*wb\.resume.* goes on from"):
            drain(train(recipe, split, folder), limited)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    if limit == "checkpoint":
        assert "A file for" in why(open_run(folder))
        assert "ulimit -f unlimited" in why(open_run(folder))
    assert isinstance(drain(train(recipe, split, folder, resume=True))[-1], RunFinished)


def test_a_disk_too_full_for_the_last_event_still_says_so(split, recipe, folder, monkeypatch):
    events = train(recipe, split, folder)
    next(events)

    def full(file: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutOfSpaceError, match=r"training ended.*There is no checkpoint yet"):
        drain(events)
    monkeypatch.undo()
    assert open_run(folder).state == "killed"
