from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from tests.training.conftest import same, tensors, without_clocks
from workbench.assembly import load_model
from workbench.data import Dataset
from workbench.errors import DataError, SplitError, TrainingError
from workbench.events import EpochDone, RunFailed, RunFinished, RunStarted, StepDone, WarningRaised
from workbench.peft import LinearProbe
from workbench.runs import open_run
from workbench.runs.failures import why
from workbench.schedules import Cosine, Plateau
from workbench.training import Control, loop, session, train
from workbench.training.objective import class_weights
from workbench.training.step import Step
from workbench.training.validation import Validation


@pytest.fixture
def scratch(recipe):
    return recipe.but(backbone="unet_encoder", peft="full", decoder="unet", learning_rate=0.01)


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_training_learns_what_is_easy_to_learn(split, scratch, tmp_path):
    events = list(train(scratch.but(epochs=8, learning_rate=0.003), split, tmp_path / "run"))
    epochs = of(EpochDone, events)
    assert epochs[-1].train_loss < 0.5 * epochs[0].train_loss
    assert max(epoch.val_miou for epoch in epochs) > 0.8
    assert isinstance(events[-1], RunFinished)


def test_events_tell_steps_epochs_parameters_and_costs(split, recipe, tmp_path):
    events = list(train(recipe, split, tmp_path / "run"))
    started = of(RunStarted, events)[0]
    assert (started.epochs, started.steps_per_epoch, started.device) == (3, 3, "cpu")
    assert 0 < started.trainable_parameters < started.total_parameters
    steps, epochs = of(StepDone, events), of(EpochDone, events)
    assert [event.step for event in steps] == list(range(1, 10))
    assert [event.epoch for event in steps] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [(event.step, event.epoch) for event in epochs] == [(3, 0), (6, 1), (9, 2)]
    assert all(event.samples_per_s > 0 and event.host_rss_bytes > 1e6 for event in steps)
    assert all(event.eta_s >= 0 for event in steps)
    assert set(epochs[0].val_miou_by_region) == {"ghana", "spain"}
    for event in epochs:
        classes = event.val_iou_by_class
        assert list(classes) == ["land", "water"]
        assert event.val_miou == pytest.approx(sum(classes.values()) / 2)
    best = min(epochs, key=lambda event: event.val_loss)
    assert events[-1].best_epoch == best.epoch
    assert events[-1].peak_host_rss_bytes >= max(event.host_rss_bytes for event in steps)
    assert open_run(tmp_path / "run").events() == events


def test_the_train_loss_is_that_of_all_pixels_together(split, recipe, tmp_path, monkeypatch):
    seen: list[int] = []
    take = Step.take

    def counted(self, batches, seed):
        seen.append(sum(batch.pixels for batch in batches))
        return take(self, batches, seed)

    monkeypatch.setattr(Step, "take", counted)
    events = list(train(recipe.but(epochs=1), split, tmp_path / "run"))
    losses = [event.loss for event in of(StepDone, events)]
    expected = sum(loss * pixels for loss, pixels in zip(losses, seen, strict=True)) / sum(seen)
    assert of(EpochDone, events)[0].train_loss == pytest.approx(expected, rel=1e-12)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(split, recipe, tmp_path):
    runs = [list(train(recipe.but(seed=seed), split, tmp_path / str(place)))
            for place, seed in enumerate((0, 0, 1))]  # fmt: skip
    assert without_clocks(runs[0]) == without_clocks(runs[1])
    assert without_clocks(runs[0]) != without_clocks(runs[2])
    assert same(tensors(tmp_path / "0"), tensors(tmp_path / "1"))


def test_the_callers_random_numbers_stay_the_callers(split, recipe, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(train(recipe, split, tmp_path / "run"))
    assert torch.equal(torch.rand(3), expected)


def test_test_and_held_out_chips_are_never_read(split, recipe, tmp_path, monkeypatch):
    read: set[str] = set()
    original = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, chip: read.add(chip) or original(self, chip))
    monkeypatch.setattr(session, "audited", lambda *_: ())  # compares the parts, so looks at all
    list(train(recipe, split, tmp_path / "run"))
    assert read == {*split.parts["train"], *split.parts["val"]}


def test_held_out_regions_are_watched_on_request_and_change_nothing(split, recipe, tmp_path):
    blind, seeing = tmp_path / "blind", tmp_path / "seeing"
    list(train(recipe, split, blind))
    list(train(recipe, split, seeing, watch_held_out=True))
    watched = [event.held_out_miou_by_region for event in of(EpochDone, open_run(seeing).events())]
    assert [list(regions) for regions in watched] == [["bolivia"]] * 3
    assert open_run(seeing).watched_held_out
    assert not open_run(blind).watched_held_out
    assert "held-out regions watched while it trained" in repr(open_run(seeing))
    one, other = (without_clocks(open_run(folder).events()) for folder in (blind, seeing))
    assert [{**event, "held_out_miou_by_region": {}} if "val_loss" in event else event
            for event in other] == one
    assert same(tensors(blind / "checkpoints"), tensors(seeing / "checkpoints"))


def test_watching_where_nothing_is_held_out_is_refused(split, recipe, tmp_path):
    everywhere = dataclasses.replace(split, parts={**split.parts, "held_out": ()})
    with pytest.raises(SplitError, match="watch_held_out=True, but nothing is held out"):
        train(recipe, everywhere, tmp_path / "run", watch_held_out=True)


def test_linear_probing_trains_the_decoder_alone(split, recipe, tmp_path):
    recipe = recipe.but(peft=LinearProbe(), learning_rate=0.1)
    events = list(train(recipe, split, tmp_path / "run"))
    started = of(RunStarted, events)[0]
    model = load_model(tmp_path / "run", checkpoint="last", device="cpu")
    assert started.trainable_parameters == sum(p.numel() for p in model.decoder.parameters())
    fresh = {name: value for name, value in tensors(tmp_path / "run").items() if "backbone" in name}
    assert fresh == {}


def test_the_best_checkpoint_is_the_one_with_the_lowest_validation_loss(
    split, recipe, tmp_path, monkeypatch
):
    losses = iter([0.5, 0.3, 0.4, 0.35])
    monkeypatch.setattr(loop, "validate", lambda *_, **__: Validation(next(losses), 9, 0.5, {}, {}))
    saved: dict[int, dict] = {}
    for event in train(recipe.but(epochs=4), split, tmp_path / "run"):
        if isinstance(event, StepDone) and event.step in (4, 7):
            saved[event.step // 3] = tensors(tmp_path / "run" / "checkpoints" / "best")
    best = tensors(tmp_path / "run" / "checkpoints" / "best")
    assert not same(saved[1], best)
    assert same(saved[2], best)
    assert event.best_epoch == 1


def test_patience_ends_the_training_and_plateaus_lower_the_rate(
    split, recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "validate", lambda *_, **__: Validation(0.5, 9, 0.5, {}, {}))
    recipe = recipe.but(epochs=50, patience=5, schedule=Plateau(patience=1), learning_rate=0.01)
    events = list(train(recipe, split, tmp_path / "run"))
    assert [event.lr for event in of(EpochDone, events)] == [
        0.01, 0.01, 0.01, 0.005, 0.005, 0.0025
    ]  # fmt: skip
    assert events[-1].reason == "no lower validation loss for 5 epochs"


def test_cosine_rises_and_falls_over_all_steps(split, recipe, tmp_path):
    recipe = recipe.but(epochs=2, schedule=Cosine(warmup=0.34), learning_rate=0.01)
    events = list(train(recipe, split, tmp_path / "run"))
    factors = [Cosine(warmup=0.34).scale(step, 6, []) for step in range(6)]
    assert [event.lr for event in of(StepDone, events)] == [0.01 * factor for factor in factors]
    assert [event.lr for event in of(EpochDone, events)] == [0.01 * factors[2], 0.01 * factors[5]]


def test_accumulated_batches_are_one_step(split, recipe, tmp_path):
    recipe = recipe.but(batch_size=2, accumulate=2, epochs=2)
    events = list(train(recipe, split, tmp_path / "run"))
    assert of(RunStarted, events)[0].steps_per_epoch == 3
    assert [event.step for event in of(StepDone, events)] == [1, 2, 3, 4, 5, 6]
    assert [(event.step, event.epoch) for event in of(EpochDone, events)] == [(3, 0), (6, 1)]


def test_what_the_recipe_left_open_stands_in_the_run(split, recipe, tmp_path):
    recipe = recipe.but(epochs=1, class_weights="balanced")
    list(train(recipe, split, tmp_path / "run"))
    resolved = open_run(tmp_path / "run").resolved
    assert resolved["precision"] == "fp32"
    assert resolved["class_weights"] == class_weights(recipe, split.train)


@pytest.mark.parametrize("loss", ["focal", "dice"])
def test_every_loss_lowers_itself(split, scratch, tmp_path, loss):
    events = list(train(scratch.but(epochs=3, loss=loss), split, tmp_path / "run"))
    losses = [event.train_loss for event in of(EpochDone, events)]
    assert losses[-1] < losses[0]


def test_a_loss_that_is_not_finite_ends_the_run_with_advice(split, scratch, tmp_path):
    events = []
    training = train(scratch.but(learning_rate=1e30), split, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"loss is not finite after step .*learning_rate="):
        events.extend(training)
    assert isinstance(events[-1], RunFailed)
    assert "not finite" in events[-1].error
    run = open_run(tmp_path / "run")
    assert run.state == "failed"
    assert all(torch.isfinite(value).all() for value in tensors(run.folder).values())


def test_after_a_loss_that_is_not_finite_another_recipe_is_advised_and_no_resume(
    split, scratch, tmp_path
):
    recipe, folder = scratch.but(learning_rate=1e30, precision="bf16"), tmp_path / "run"
    for resumed in (False, True):  # the same steps, the same end
        with pytest.raises(TrainingError, match=r"precision='fp32'.*wb\.plot\(split, 'normal"):
            list(train(recipe, split, folder, resume=resumed))
    said = why(open_run(folder))
    assert "wb.resume would meet the same again" in said
    assert f"run = wb.open_run({str(folder)!r}); wb.fit(run.recipe.but(…), run.split)." in said
    assert "goes on" not in said
    assert "begins again" not in said
    assert "The best epoch" not in said


def test_what_was_trained_before_a_loss_became_infinite_is_said_to_be_whole(
    split, recipe, tmp_path, monkeypatch
):
    folder, epochs = tmp_path / "run", iter((Validation(0.5, 1, 0.5, {}, {}),
                                             Validation(math.inf, 1, 0.5, {}, {})))
    monkeypatch.setattr(loop, "validate", lambda *_, **__: next(epochs))
    with pytest.raises(TrainingError, match="validation loss is not finite after step 6"):
        list(train(recipe, split, folder))
    assert why(open_run(folder)).endswith("The best epoch before it is whole: wb.load_model(run).")


def test_validation_chips_that_lost_their_labels_are_not_blamed_on_the_learning_rate(
    split, recipe, tmp_path, monkeypatch
):
    read = type(split.val).read

    def unlabelled(self, chip_id):
        sample = read(self, chip_id)
        if chip_id in split.parts["val"]:
            sample.mask[:] = -1
        return sample

    monkeypatch.setattr(type(split.val), "read", unlabelled)
    with pytest.raises(DataError, match=r"No validation chip has a labelled pixel.*changed"):
        list(train(recipe, split, tmp_path / "run"))
    assert "wb.resume" in why(open_run(tmp_path / "run"))  # once the files are back


def test_a_batch_without_labels_is_skipped_and_said_once(split, recipe, tmp_path, monkeypatch):
    step = type(split.train).read

    def unlabelled(self, chip_id):
        sample = step(self, chip_id)
        if chip_id in split.parts["train"][:8]:
            sample.mask[:] = -1
        return sample

    monkeypatch.setattr(type(split.train), "read", unlabelled)
    events = list(train(recipe.but(batch_size=1), split, tmp_path / "run"))
    skipped = [event for event in of(WarningRaised, events) if "skipped" in event.message]
    assert len(skipped) == 1
    assert len(of(StepDone, events)) == 3 * 2
    assert events[-1].step == 30
    assert all(math.isfinite(event.train_loss) for event in of(EpochDone, events))


def test_a_stop_comes_after_the_step_with_its_checkpoint(split, recipe, tmp_path):
    control = Control()
    events = []
    for event in train(recipe, split, tmp_path / "run", control=control):
        events.append(event)
        if isinstance(event, StepDone) and event.step == 2:
            control.stop("enough")
    assert [event.kind for event in events[-2:]] == ["step_done", "run_stopped"]
    assert (events[-1].step, events[-1].reason) == (2, "enough")
    run = open_run(tmp_path / "run")
    assert run.state == "stopped"
    assert run.checkpoint("last").exists()
