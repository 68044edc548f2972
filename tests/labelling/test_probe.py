"""A few labels become a model and a map; rounds go on from what was computed before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import torch

import workbench as wb
from tests.conftest import HLS, write_chip
from workbench.errors import LabelError, RecipeError
from workbench.labelling import LabelProbe, fit_labels
from workbench.labelling.gathering import MOST_PIXELS, Windows
from workbench.labelling.solving import FEATURES_SHARE, scaling, solve

EAST, NORTH, SIDE = 600_000, 900_000, 200
UTM = "EPSG:32630"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "1")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """200 x 200 pixels, so that windows of 128 overlap; water on one side of a straight line."""
    path, _ = write_chip(tmp_path, "scene", 3, epsg=32630, east=EAST, north=NORTH, side=SIDE)
    return path


@pytest.fixture
def truth(scene: Path) -> np.ndarray:
    import rasterio

    with rasterio.open(scene.with_name("scene_label.tif")) as file:
        return file.read(1)


def draw(labels: wb.Labels, truth: np.ndarray, kind: int, number: int, seed: int = 0) -> None:
    """Click on pixels of a class, away from the nodata at the upper left."""
    places = np.argwhere(truth == kind)
    places = places[places[:, 0] > 2]
    for row, col in np.random.default_rng(seed).permutation(places)[:number]:
        labels.add(labels.classes[kind].name,
                   shapely.Point(EAST + 30 * (col + 0.5), NORTH - 30 * (row + 0.5)), crs=UTM)


@pytest.fixture
def labels(scene: Path, truth: np.ndarray) -> wb.Labels:
    labels = wb.Labels(scene, ["land", "water"], bands=HLS, scale=1e-4)
    draw(labels, truth, 0, 6)
    draw(labels, truth, 1, 6)
    return labels


def test_a_dozen_clicks_map_a_scene(labels: wb.Labels, truth: np.ndarray) -> None:
    probe = LabelProbe(labels, device="cpu")
    found = probe.predict(probe.fit())
    right = (found["class"].values == truth)[truth >= 0]
    assert right.mean() > 0.95
    assert (found["class"].values[0, :3] == 255).all()
    assert found["class"].attrs["flag_meanings"] == "land water"
    assert float(found["entropy"].max()) <= np.log(2) + 1e-6


def test_the_map_is_what_predict_gives_and_what_the_saved_model_gives(
    labels: wb.Labels, scene: Path, tmp_path: Path
) -> None:
    probe = LabelProbe(labels, device="cpu")
    here = probe.predict(probe.fit())
    fit_labels(labels, device="cpu", folder=tmp_path / "model")
    loaded = wb.load_model(tmp_path / "model", device="cpu")
    there = wb.predict(loaded, scene, bands=HLS)
    assert (here["class"].values == there["class"].values).mean() > 0.9999
    np.testing.assert_allclose(here.probability, there.probability, atol=1e-5)


def test_a_second_round_computes_no_features(labels: wb.Labels, truth: np.ndarray) -> None:
    probe = LabelProbe(labels, device="cpu")
    probe.predict(probe.fit())
    [told] = probe._base.frozen.events(step=0, epoch=0)
    # Each of the windows once, for labels and map together, and the empty one predict begins with.
    assert told.chips == 4 + 1
    draw(labels, truth, 1, 3, seed=1)
    again = LabelProbe(labels, device="cpu")  # another session: features are on disk
    again.predict(again.fit())
    assert list(again._base.frozen.events(step=0, epoch=0)) == []


def test_the_same_labels_give_the_same_model(labels: wb.Labels) -> None:
    one, other = (fit_labels(labels, device="cpu") for _ in range(2))
    assert torch.equal(one.decoder.head.weight, other.decoder.head.weight)


def test_an_earlier_model_is_not_touched_by_a_later_round(
    labels: wb.Labels, truth: np.ndarray
) -> None:
    probe = LabelProbe(labels, device="cpu")
    first = probe.fit()
    before = first.decoder.head.weight.clone()
    draw(labels, truth, 0, 3, seed=2)
    second = probe.fit()
    assert torch.equal(first.decoder.head.weight, before)
    assert not torch.equal(second.decoder.head.weight, before)


def test_a_class_without_a_label_is_never_predicted(labels: wb.Labels) -> None:
    more = wb.Labels(labels.imagery, ["land", "water", "cloud"])
    probe = LabelProbe(more, device="cpu")
    found = probe.predict(probe.fit())["class"].values
    assert set(np.unique(found)) == {0, 1, 255}


def test_a_part_is_predicted_with_the_windows_of_the_whole(labels: wb.Labels) -> None:
    probe = LabelProbe(labels, device="cpu")
    model = probe.fit()
    whole = probe.predict(model)
    list(probe._base.frozen.events(step=0, epoch=0))
    area = probe.snapped((150, 120, 20, 20))
    part = probe.predict(model, area)
    assert list(probe._base.frozen.events(step=0, epoch=0)) == []
    top, left, height, width = area
    assert max(top - 150, left - 120, 170 - top - height, 140 - left - width) <= 0
    same = whole["class"].values[top : top + height, left : left + width] == part["class"].values
    assert same.mean() > 0.99  # windows are blended with fewer neighbours at its edge
    assert float(part.x[0]) == float(whole.x[left])


def test_progress_is_told_in_windows(labels: wb.Labels) -> None:
    told: list[tuple[int, int]] = []
    probe = LabelProbe(labels, device="cpu")
    model = probe.fit(lambda *step: told.append(step))
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] > 0
    told.clear()
    probe.predict(model, progress=lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1] > 0


def test_one_class_is_not_enough(scene: Path, truth: np.ndarray) -> None:
    labels = wb.Labels(scene, ["land", "water"], bands=HLS, scale=1e-4)
    with pytest.raises(LabelError, match=r"Nothing is labelled on scene_S2\.tif; a map needs"):
        fit_labels(labels, device="cpu")
    draw(labels, truth, 1, 2)
    with pytest.raises(LabelError, match="Only water is labelled"):
        fit_labels(labels, device="cpu")
    # Labels on pixels without a value teach nothing.
    labels.add("land", shapely.Point(EAST + 15, NORTH - 15), crs=UTM)
    with pytest.raises(LabelError, match="Only water is labelled"):
        fit_labels(labels, device="cpu")


def test_recipes_that_train_more_are_sent_to_fit(labels: wb.Labels) -> None:
    with pytest.raises(RecipeError, match=r"not 'lora' and 'unet'.*wb\.fit\(recipe, "):
        fit_labels(labels, wb.Recipe())


def test_a_scene_smaller_than_a_window_is_mapped_whole(tmp_path: Path) -> None:
    path, _ = write_chip(tmp_path, "small", 5, epsg=32630, east=EAST, north=NORTH, side=37)
    labels = wb.Labels(path, ["land", "water"], bands=HLS, scale=1e-4)
    for kind, row in (("land", 5), ("water", 30)):
        labels.add(kind, shapely.Point(EAST + 30 * 20.5, NORTH - 30 * (row + 0.5)), crs=UTM)
    probe = LabelProbe(labels, device="cpu")
    found = probe.predict(probe.fit(), probe.snapped((10, 10, 5, 5)))
    assert found["class"].shape == (37, 37)


def test_snapped_parts_keep_to_the_windows_of_the_scene(labels: wb.Labels) -> None:
    probe = LabelProbe(labels, device="cpu")
    probe._windows = Windows(1000, 1000, 128, 32)
    assert probe.snapped((100, 0, 10, 300)) == (96, 0, 128, 320)
    assert probe.snapped((990, 990, 50, 50)) == (864, 864, 136, 136)
    assert probe.snapped((-30, -30, 5000, 5000)) == (0, 0, 1000, 1000)


def test_a_label_counts_as_the_root_of_its_pixels(labels: wb.Labels) -> None:
    probe = LabelProbe(labels, device="cpu")
    labels.add("land", shapely.box(EAST, NORTH - 6000, EAST + 6000, NORTH), crs=UTM)
    from workbench.labelling.gathering import gather

    drawn = gather(labels, probe._base, probe._windows, probe.device, lambda *_: None)
    last = drawn.labels == len(labels) - 1
    assert len(np.unique(drawn.labels)) == 1  # it was drawn over all others
    assert MOST_PIXELS <= last.sum() <= 4 * MOST_PIXELS
    weight = drawn.counts.sum()
    assert weight == pytest.approx(np.sqrt(MOST_PIXELS), rel=0.3)


def test_the_solution_is_the_minimum() -> None:
    rng = np.random.default_rng(0)
    vectors = torch.from_numpy(rng.normal(size=(60, 5)))
    kinds = (vectors[:, 0] + 0.3 * torch.from_numpy(rng.normal(size=60)) > 0).long().numpy()
    scale = scaling(vectors, (3, 2))
    weight, bias = solve(vectors, kinds, np.ones(60), 2, scale)
    logits = vectors @ weight.T + bias
    assert ((logits.argmax(1).numpy() == kinds).mean()) > 0.9
    # At the minimum the mean probability of each class is its share: the bias has no penalty.
    assert logits.softmax(1)[:, 1].mean().item() == pytest.approx(kinds.mean(), abs=1e-4)


def test_a_group_of_features_counts_as_one_thing() -> None:
    vectors = torch.randn(4000, 12, dtype=torch.float64) * torch.arange(1, 13)
    scale = scaling(vectors, (8, 4))
    inputs = (vectors - scale.mean) / scale.spread
    variance = inputs.var(0)
    assert variance[:8].sum().item() == pytest.approx(FEATURES_SHARE**2, rel=0.01)
    assert variance[8:].sum().item() == pytest.approx(1, rel=0.01)
