from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.conftest import trained
from workbench import metrics, storage
from workbench.data import Dataset, Split
from workbench.errors import OutOfSpaceError, RunError, SplitError
from workbench.evaluation import compare, evaluate, read_scores
from workbench.recipe import SpectralIndex
from workbench.runs import Run


@pytest.fixture
def run(runs: Sequence[Run], tmp_path: Path) -> Run:
    """A run of its own, without scores, for a test that writes into the folder."""
    folder = shutil.copytree(runs[0].folder, tmp_path / "ndwi",
                             ignore=shutil.ignore_patterns("evaluation"))
    return Run(folder)


def test_counts_are_those_of_the_index_worked_out_from_the_pixels(run: Run) -> None:
    scores = evaluate(run, device="cpu")
    green, nir = (run.split.dataset.bands.index(name) for name in ("GREEN", "NIR_NARROW"))
    for number, (chip, facts) in enumerate(scores.chips.iterrows()):
        sample = run.split.dataset.read(str(chip))
        image = np.nan_to_num(sample.image)
        water = (image[green] > image[nir]).astype(int)
        assert (scores.counts[number] == metrics.confusion(sample.mask, water, 2)).all()
        assert facts["region"] == sample.region
    assert set(scores.chips.index) == {*run.split.parts["test"], *run.split.parts["held_out"]}


def test_scores_are_stored_and_the_run_shows_them(run: Run) -> None:
    with pytest.raises(RunError, match=r"'ndwi' \(finished\) has no scores yet.*wb\.evaluate"):
        read_scores(run)
    scores = evaluate(run, device="cpu")
    assert read_scores(run).table().equals(scores.table())
    assert run.scores()["test"]["miou"] == pytest.approx(scores.in_region.value)
    assert "mIoU held out" in run.facts()
    assert sorted(path.name for path in (run.folder / "evaluation").iterdir()) == [
        "scores.json", "summary.json"]


def test_a_run_that_may_only_be_read_says_that_it_cannot_be_scored(
        run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(storage.tempfile, "TemporaryFile", read_only)
        patch.setattr("workbench.evaluation.scoring.load_model", None)  # before any work
        with pytest.raises(RunError, match=r"not yours to write to .*nor scored.*copy it"):
            evaluate(run, device="cpu")
    assert evaluate(run, device="cpu").in_region
    assert [path.name for path in (run.folder / "evaluation").iterdir() if "json" not in path.name
            ] == []


def test_scores_know_what_was_trained(runs: Sequence[Run]) -> None:
    scores = [evaluate(run, device="cpu") for run in runs]
    assert [entry.method for entry in scores] == ["ndwi-0", "ndwi-1"]
    assert all(entry.baseline for entry in scores)
    assert [entry.trainable_parameters for entry in scores] == [0, 0]
    assert scores[0].recipe_key != scores[1].recipe_key


def test_comparing_reads_what_was_stored_and_never_predicts(
        runs: Sequence[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    for run in runs:
        evaluate(run, device="cpu")
    monkeypatch.setattr("workbench.evaluation.scoring.load_model", None)
    table = compare(runs).table("part").set_index(["run", "region"])
    assert table["miou"]["ndwi", "held out"] > table["miou"]["never", "held out"] + 0.2


def test_every_run_is_scored_on_the_same_pixels_whatever_bands_it_takes(
        split: Split, runs: Sequence[Run], tmp_path: Path) -> None:
    mndwi = trained(tmp_path / "mndwi", SpectralIndex(index="mndwi"), split)
    labelled = [evaluate(run, device="cpu").counts.sum(-1) for run in (mndwi, runs[0])]
    np.testing.assert_array_equal(*labelled)


def test_another_split_is_stored_beside_and_replaces_nothing(
        run: Run, tiny_floods: Dataset) -> None:
    own = evaluate(run, device="cpu")
    foreign = Split(tiny_floods, {**run.split.parts, "test": ()}, ("bolivia",))
    other = evaluate(run, foreign, device="cpu")
    assert set(other.chips["part"]) == {"held_out"}
    assert read_scores(run).table().equals(own.table())
    assert read_scores(run, foreign).table().equals(other.table())
    assert "test" in run.scores()


def test_chips_the_run_was_trained_on_are_no_test(run: Run, tiny_floods: Dataset) -> None:
    turned = Split(tiny_floods, {**run.split.parts, "test": run.split.parts["train"], "train": ()})
    with pytest.raises(SplitError, match=r"of the chips to score show ground that 'ndwi' was tr"):
        evaluate(run, turned, device="cpu")


def test_a_split_with_nothing_to_score_or_other_classes_is_refused(
        run: Run, tiny_floods: Dataset, tiny_folder: Path) -> None:
    nothing = Split(tiny_floods, {**run.split.parts, "test": (), "held_out": ()})
    with pytest.raises(SplitError, match="no test and no held-out chips"):
        evaluate(run, nothing, device="cpu")
    renamed = Dataset.from_folder(
        str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=tiny_floods.bands,
        classes=["dry", "wet"], scale=1e-4)
    with pytest.raises(SplitError, match=r"has the classes dry, wet, but 'ndwi' .* land, water"):
        evaluate(run, Split(renamed, run.split.parts), device="cpu")


def test_progress_counts_chips(run: Run) -> None:
    calls: list[tuple[int, int]] = []
    scores = evaluate(run, device="cpu", progress=lambda *done: calls.append(done))
    assert calls[-1] == (len(scores.chips), len(scores.chips))


def test_a_full_disk_keeps_the_scores_that_were_there(
        run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(run, device="cpu")
    before = (run.folder / "evaluation" / "scores.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(OutOfSpaceError):
        evaluate(run, device="cpu")
    assert (run.folder / "evaluation" / "scores.json").read_bytes() == before


def test_a_run_without_a_checkpoint_is_named(run: Run) -> None:
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(RunError, match="no checkpoint"):
        evaluate(run, device="cpu")
