"""The ground around a chip, on a scene cut into chips, and on chips that lie apart."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from tests.conftest import HLS, write_chip
from tests.evaluation.conftest import trained
from workbench.data import Dataset
from workbench.errors import RunError, UnknownNameError
from workbench.evaluation import read_scores
from workbench.evaluation.answers import Answers
from workbench.evaluation.chipmap import chip_map
from workbench.evaluation.scoring import evaluate
from workbench.metrics import confusion
from workbench.recipe import SpectralIndex
from workbench.runs import Run

PLACES = {"bolivia": (32720, 300_000, 8_400_000), "ghana": (32630, 600_000, 900_000)}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Dataset:
    """Two scenes of 3 × 4 chips, 16 pixels each."""
    folder = tmp_path_factory.mktemp("scenes")
    for seed, (region, (epsg, east, north)) in enumerate(PLACES.items()):
        write_chip(folder, f"{region}_0", seed, epsg=epsg, east=east, north=north, side=64)
        _cut(folder, f"{region}_0", 48)
    return Dataset.from_folder(
        str(folder / "*_S2.tif"), str(folder / "*_label.tif"), bands=HLS,
        classes=[("land", "#d9c9a3"), ("water", "#1f78b4")], region="{region}_{number}_S2",
        scale=1e-4, name="scenes", chip_size=16)


def _cut(folder: Path, name: str, rows: int) -> None:
    for kind in ("S2", "label"):
        with rasterio.open(folder / f"{name}_{kind}.tif", "r") as file:
            pixels, profile = file.read()[:, :rows], file.profile
        with rasterio.open(folder / f"{name}_{kind}.tif", "w", **profile | {"height": rows}) as out:
            out.write(pixels)


@pytest.fixture(scope="module")
def runs(scenes, tmp_path_factory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    split = scenes.split(hold_out="bolivia", by="block", buffer_km=0)
    return [trained(folder / "ndwi", SpectralIndex(threshold=0.0), split),
            trained(folder / "never", SpectralIndex(threshold=1.0), split)]


def bolivian(scenes, row, column):
    chips = scenes.chips
    found = chips[(chips["region"] == "bolivia") & (chips["row_off"] == row)
                  & (chips["col_off"] == column)]
    return str(found.index[0])


def test_the_ground_around_a_chip_is_the_scene_that_it_was_cut_from(scenes, runs):
    chip = bolivian(scenes, 16, 16)
    found = chip_map(runs, chip)
    assert (found.sizes["y"], found.sizes["x"]) == (48, 48)
    with rasterio.open(scenes.chips.loc[chip, "image"]) as file:
        stored = file.read(2)[:48, :48] * 1e-4
        assert found.rio.transform() == file.transform
        assert found.rio.crs == file.crs
    green = found["image"].sel(band="GREEN").values
    valid = np.isfinite(green)
    np.testing.assert_allclose(green[valid], stored[valid], atol=1e-6)
    assert len(found.attrs["chips"]) == 9
    assert found.attrs["chips"][0] == chip


def test_at_the_edge_of_a_scene_there_is_less_ground(scenes, runs):
    assert chip_map(runs, bolivian(scenes, 0, 0)).sizes["x"] == 32
    assert chip_map(runs, bolivian(scenes, 0, 0), around=0).sizes["x"] == 16


def test_what_is_shown_is_what_was_scored(runs):
    for run in runs:
        evaluate(run)
        scores = read_scores(run)
        for chip in list(scores.chips.index)[:4]:
            found = chip_map(run, chip, around=0)
            label = np.where(found["label"] == 255, -1, found["label"].astype(int))
            predicted = np.where(label < 0, 0, found["class"].values)
            place = scores.chips.index.get_loc(chip)
            assert confusion(label, predicted, 2).tolist() == scores.counts[place].tolist()


def test_ground_that_was_trained_on_is_left_out(scenes, runs):
    trained_on = set(runs[0].split.parts["train"])
    assert trained_on
    for chip in runs[0].split.parts["test"]:
        assert trained_on.isdisjoint(chip_map(runs, chip).attrs["chips"])


def test_chips_that_lie_apart_are_shown_alone(tiny_floods, tmp_path):
    run = trained(tmp_path / "run", SpectralIndex(), tiny_floods.split(hold_out=["bolivia"]))
    found = chip_map(run, "bolivia_3_S2")
    assert found["class"].dims == ("y", "x")
    assert found["class"].shape == (32, 32)
    assert found.attrs["chips"] == ["bolivia_3_S2"]
    assert found["class"].values[0, 0] == 255  # nodata
    assert np.isnan(found["probability"].values[0, 0])
    assert found["label"].values[-1, 0] == 255  # no label
    shares = found["probabilities"].values[:, 5]
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=2e-3)
    np.testing.assert_allclose(found["probability"].values[5], shares.max(axis=0))


def test_chips_without_a_position_are_put_where_nothing_is(tmp_path):
    for number in range(6):
        _, _ = write_chip(tmp_path, f"here_{number}", number, epsg=32630, east=0, north=0)
        for kind in ("S2", "label"):
            path = tmp_path / f"here_{number}_{kind}.tif"
            with rasterio.open(path) as file:
                pixels, profile = file.read(), file.profile
            del profile["crs"], profile["transform"]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                out = rasterio.open(path, "w", **profile)
            with out:
                out.write(pixels)
    data = Dataset.from_folder(str(tmp_path / "*_S2.tif"), str(tmp_path / "*_label.tif"), bands=HLS,
                               classes=["land", "water"], region="{region}_{number}_S2",
                               scale=1e-4)
    run = trained(tmp_path / "run", SpectralIndex(), data.split())
    found = chip_map(run, run.split.parts["test"][0])
    assert found.attrs["georeferenced"] == 0
    assert found.rio.crs == 3857


def test_answers_are_kept_and_no_model_is_opened_for_them_again(runs, monkeypatch):
    chip = runs[0].split.parts["test"][0]
    first = chip_map(runs, chip)
    monkeypatch.setattr("workbench.evaluation.answers.kept_model", None)
    assert chip_map(runs, chip).equals(first)


def test_answers_of_another_checkpoint_are_not_taken(scenes, runs):
    run, dataset = runs[0], runs[0].split.dataset
    chip = run.split.parts["test"][0]
    Answers(run, dataset).of([chip])
    assert Answers(run, dataset).knows(chip)
    weights = next(run.checkpoint("best").iterdir())
    weights.touch()
    assert not Answers(run, dataset).knows(chip)


def test_a_damaged_answer_is_made_again(runs):
    answers = Answers(runs[0], runs[0].split.dataset)
    chip = runs[0].split.parts["test"][1]
    before = answers[chip]
    path = answers._path(chip)
    path.write_bytes(path.read_bytes()[:100])
    again = Answers(runs[0], runs[0].split.dataset)[chip]
    assert (again.classes == before.classes).all()


@pytest.mark.parametrize(("place", "code"), [(2, errno.EACCES), (3, errno.EROFS)])
def test_a_folder_that_cannot_be_written_is_no_obstacle(runs, monkeypatch, place, code):
    def refused(path):
        raise OSError(code, "no", path)

    monkeypatch.setattr("workbench.evaluation.answers.atomic_file", refused)
    answers = Answers(runs[1], runs[1].split.dataset)
    chip = runs[1].split.parts["train"][place]
    assert answers[chip].classes.max() == 0
    assert answers.knows(chip)


def test_runs_with_one_name_are_refused(runs):
    with pytest.raises(RunError, match="the same name"):
        chip_map([runs[0], runs[0]], runs[0].split.parts["test"][0])


def test_no_runs_are_refused():
    with pytest.raises(RunError, match=r"wb.list_runs\(\)"):
        chip_map([], "chip")


def test_a_chip_that_is_not_there_is_answered_with_the_nearest(runs):
    chip = runs[0].split.parts["test"][0]
    with pytest.raises(UnknownNameError, match=f"Did you mean {chip!r}"):
        chip_map(runs, chip[:-1] + "x" if len(chip) > 20 else chip + "x")
