# ruff: noqa: F401, F811  (fixtures shared with tests/training)
from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading

import pytest
import torch

from tests.training.conftest import (
    one_thread_and_random_weights,
    random_weights,
    recipe,
    split,
    without_clocks,
)
from workbench.errors import RunError, RunExistsError, SplitError, TrainingError
from workbench.events import StepDone
from workbench.fitting import fit, resume, views
from workbench.models import load_backbone
from workbench.recipe import SpectralIndex, baselines
from workbench.runs import create, lock, open_run
from workbench.training import loop, session


@contextlib.contextmanager
def interrupted_after(step: int, by: int = signal.SIGINT):
    """Send a real signal when a step is done."""
    done = loop.Loop._step_done

    def step_done(self, *late) -> StepDone:
        event = done(self, *late)
        if event.step == step:
            os.kill(os.getpid(), by)
        return event

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "_step_done", step_done)
        yield


def test_fit_trains_scores_and_writes_the_card(split, recipe, tmp_path):
    run = fit(recipe, split, root=tmp_path, device="cpu")
    assert run.name == recipe.name
    assert run.state == "finished"
    assert {"test", "held_out"} <= set(run.scores())
    assert "mIoU held out" in repr(run)
    assert "held out, bolivia" in (run.folder / "card.md").read_text()
    names = {entry.name for entry in run.folder.iterdir() if not entry.name.startswith(".")}
    assert names == {"recipe.json", "split.json", "environment.json", "events.jsonl", "checkpoints",
                     "evaluation", "log.txt", "card.md", "preview.npz"}
    assert open_run(run.folder).recipe == recipe


def test_the_cards_code_opens_the_model_and_its_adapter_in_plain_peft(split, recipe, tmp_path):
    run = fit(recipe.but(epochs=1), split, root=tmp_path, device="cpu")
    code = (run.folder / "card.md").read_text().split("## Open it\n\n```python\n")[1]
    opened: dict = {}
    exec(code.split("```")[0], opened)
    model, adapted = opened["model"].cpu().eval(), opened["adapted"].eval()
    image = torch.rand(1, len(run.bands), 32, 32)
    with torch.no_grad():
        ours, theirs = model.backbone(image)[-1], adapted(image)[-1]
        plain = load_backbone(recipe.backbone, bands=run.bands).eval()(image)[-1]
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, plain)


def test_every_baseline_takes_the_same_way(split, tmp_path):
    for baseline in baselines(split.dataset, epochs=1):
        run = fit(baseline, split, root=tmp_path)
        assert run.state == "finished"
        assert run.scores()["held_out"]["miou"] is not None


def test_a_free_name_is_found_and_a_taken_one_refused(split, tmp_path):
    recipe = SpectralIndex(threshold="tuned")
    names = [fit(recipe, split, root=tmp_path).name for _ in range(3)]
    assert names == ["ndwi-tuned", "ndwi-tuned-2", "ndwi-tuned-3"]
    with pytest.raises(RunExistsError, match=r"wb\.resume\('.*ndwi-tuned'\).*another name"):
        fit(recipe, split, root=tmp_path, name="ndwi-tuned")


def test_of_two_that_begin_at_one_moment_without_a_name_each_gets_its_own(
    split, tmp_path, monkeypatch
):
    def slow(*given) -> None:  # another process is faster
        monkeypatch.undo()
        others.append(fit(SpectralIndex(), split, root=tmp_path))
        create(*given)

    others: list = []
    monkeypatch.setattr(session, "create", slow)
    run = fit(SpectralIndex(), split, root=tmp_path)
    assert [others[0].name, run.name] == ["ndwi-0", "ndwi-0-2"]
    assert run.state == "finished"


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", " ", "a\nb", "a\0b"])
def test_a_name_that_is_no_folder_name_is_refused(split, tmp_path, name):
    with pytest.raises(RunError, match="not a plain folder name"):
        fit(SpectralIndex(), split, root=tmp_path, name=name)


def test_a_link_to_a_disk_that_is_not_there_is_told(split, tmp_path):
    (tmp_path / "runs").symlink_to(tmp_path / "unmounted")
    with pytest.raises(RunError, match=r"runs' is no folder: .* is a link to what is not there"):
        fit(SpectralIndex(), split, root=tmp_path / "runs")
    (tmp_path / "ndwi-0").symlink_to(tmp_path / "unmounted")
    assert fit(SpectralIndex(), split, root=tmp_path).name == "ndwi-0-2"
    with pytest.raises(RunExistsError):
        fit(SpectralIndex(), split, root=tmp_path, name="ndwi-0")


def test_what_cannot_be_trained_is_refused_before_anything_is_written(split, recipe, tmp_path):
    empty = dataclasses.replace(split, parts={**split.parts, "train": ()})
    with pytest.raises(SplitError, match="'train' has no chips"):
        fit(recipe, empty, root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_split_without_anything_to_score_is_trained_all_the_same(split, tmp_path):
    alone = dataclasses.replace(split, parts={**split.parts, "test": (), "held_out": ()})
    run = fit(SpectralIndex(), alone, root=tmp_path)
    assert run.state == "finished"
    assert run.scores() == {}


def test_ctrl_c_stops_after_the_step_and_resume_ends_where_it_would_have_ended(
    split, recipe, tmp_path
):
    handler = signal.getsignal(signal.SIGINT)
    whole = fit(recipe, split, root=tmp_path, name="whole")
    with interrupted_after(4):
        run = fit(recipe, split, root=tmp_path, name="run")
    assert signal.getsignal(signal.SIGINT) is handler
    assert run.state == "stopped"
    assert run.events()[-1].step == 4
    assert run.scores() == {}
    run = resume(run)
    assert run.state == "finished"
    assert without_clocks(run.events()) == without_clocks(whole.events())
    assert run.scores() == whole.scores()


def test_a_second_ctrl_c_stops_at_once(split, recipe, tmp_path, monkeypatch):
    def save_interrupted(self, name):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop.Loop, "_save", save_interrupted)
    with interrupted_after(2), pytest.raises(KeyboardInterrupt):
        fit(recipe, split, root=tmp_path, name="run")
    assert open_run(tmp_path / "run").state == "failed"


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_asked_to_end_writes_its_checkpoint_first(
    split, recipe, tmp_path, monkeypatch, asked
):
    whole = fit(recipe, split, root=tmp_path, name="whole")
    ended = []
    monkeypatch.setattr(signal, "raise_signal", lambda number: ended.append(
        (number, (tmp_path / "run" / lock.LOCK).read_bytes())))
    before = signal.signal(asked, signal.SIG_DFL)  # the tests may themselves run under nohup
    try:
        with interrupted_after(4, by=asked):
            run = fit(recipe, split, root=tmp_path, name="run")
        assert (run.state, run.events()[-1].step) == ("stopped", 4)
        with interrupted_after(6, by=asked):
            resume(run)
        assert (run.state, run.events()[-1].step) == ("stopped", 6)
        assert signal.getsignal(asked) is signal.SIG_DFL
    finally:
        signal.signal(asked, before)
    assert ended == [(asked, b"")] * 2  # nobody died with the lock
    assert without_clocks(resume(run).events()) == without_clocks(whole.events())


def test_who_ignores_a_hangup_goes_on_ignoring_it(split, recipe, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with interrupted_after(2, by=signal.SIGHUP):
            assert fit(recipe, split, root=tmp_path).state == "finished"
    finally:
        signal.signal(signal.SIGHUP, before)


class Broken(views.Unseen):
    """A view whose terminal is gone, or that is wrong."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def update(self, event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            raise self.error


def test_a_terminal_that_is_gone_ends_no_training(split, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "view_of", lambda _: Broken(OSError(5, "Input/output error")))
    assert fit(recipe, split, root=tmp_path, show=True).state == "finished"


@pytest.mark.parametrize("error", [ZeroDivisionError("in the view"), KeyboardInterrupt()])
def test_an_error_while_showing_is_told_by_the_folder_and_leaves_it_free(
    split, recipe, tmp_path, monkeypatch, error
):
    with monkeypatch.context() as patch:
        patch.setattr(views, "view_of", lambda _: Broken(error))
        with pytest.raises(type(error)) as kept:  # as a notebook keeps the last error
            fit(recipe, split, root=tmp_path, name="run", show=True)
    run = open_run(tmp_path / "run")
    assert run.state == "failed"
    assert type(error).__name__ in run.events()[-1].error
    assert resume(run).state == "finished"
    assert kept.value is error


def test_another_thread_than_the_main_one_can_fit(split, tmp_path):
    runs = []
    thread = threading.Thread(
        target=lambda: runs.append(fit(SpectralIndex(), split, root=tmp_path))
    )
    thread.start()
    thread.join()
    assert runs[0].state == "finished"


def test_an_error_in_training_is_one_paragraph_and_can_be_resumed(
    split, recipe, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", lambda *_, **__: 1 / 0)
        with pytest.raises(TrainingError, match=r"ZeroDivisionError.*wb\.resume") as caught:
            fit(recipe, split, root=tmp_path, name="run")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert resume(str(tmp_path / "run")).state == "finished"


def test_resuming_a_finished_run_scores_it_if_nobody_has(split, tmp_path):
    run = fit(SpectralIndex(), split, root=tmp_path)
    before = run.scores()
    (run.folder / "evaluation" / "summary.json").unlink()
    assert resume(run).scores() == before


def test_a_run_that_another_process_trains_is_refused_before_its_data_and_model_are_touched(
    split, recipe, tmp_path, monkeypatch
):
    create(tmp_path / "run", recipe, split, {"bands": list(split.dataset.bands)})
    before = (tmp_path / "run" / "recipe.json").read_bytes()
    monkeypatch.setattr("workbench.fitting.foreground.train", None)
    monkeypatch.setattr(lock, "_PATIENCE_S", 0.05)
    with (
        lock.writing(tmp_path / "run"),
        pytest.raises(RunError, match="is being trained by another process"),
    ):
        resume(tmp_path / "run")
    assert (tmp_path / "run" / "recipe.json").read_bytes() == before


def test_progress_is_shown_where_it_is_asked_for(split, tmp_path, capsys):
    run = fit(SpectralIndex(), split, root=tmp_path, show=True)
    assert f"{run.name}: epoch 1/1" in capsys.readouterr().err
    fit(SpectralIndex(), split, root=tmp_path)
    fit(SpectralIndex(), split, root=tmp_path, show=False)
    assert capsys.readouterr() == ("", "")


def test_a_resumed_view_knows_the_past(split, recipe, tmp_path, capsys):
    with interrupted_after(4):
        run = fit(recipe, split, root=tmp_path)
    resume(run, show=True)
    said = capsys.readouterr().err
    assert said.index("epoch 1/3") < said.index("goes on after step 4") < said.index("epoch 2/3")


def test_a_notebook_gets_the_live_picture(split, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "in_notebook", lambda: True)
    view = views.shown(fit(SpectralIndex(), split, root=tmp_path, show=False), None).thing
    assert type(view).__name__ == "LiveView"
