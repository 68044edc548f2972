"""Chips cut by polygons: every polygon has its own pixels, whatever its CRS."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from tests.evaluation.conftest import trained
from workbench import metrics
from workbench.data import Dataset, Split
from workbench.errors import DataError, GridError, RunError, SplitError
from workbench.evaluation import Comparison, Scores, compare, comparison, evaluate, read_scores
from workbench.evaluation.answers import Answers
from workbench.evaluation.entries import Entry
from workbench.evaluation.pooling import pooled
from workbench.recipe import SpectralIndex
from workbench.runs import Run

SIDE = 30.0
CRS = "EPSG:32720"


def corner(data: Dataset, chip: str) -> tuple[float, float]:
    place = data.read(chip).transform
    return place.c, place.f


def columns(data: Dataset, chips: Sequence[str], first: float, last: float) -> list:
    """Boxes over some columns of chips, beyond their upper and lower ends."""
    corners = [corner(data, chip) for chip in chips]
    return [shapely.box(x + SIDE * first, y - 40 * SIDE, x + SIDE * last, y + 5 * SIDE)
            for x, y in corners]


def polygons(**areas: list) -> geopandas.GeoDataFrame:
    rows = [(name, shape) for name, shapes in areas.items() for shape in shapes]
    names, shapes = zip(*rows, strict=True)
    return geopandas.GeoDataFrame({"name": names}, geometry=list(shapes), crs=CRS)


def counted(data: Dataset, chips: Sequence[str], part: slice, threshold: float) -> np.ndarray:
    """What the water index gets right in some columns of chips, from their pixels."""
    total = np.zeros((2, 2), np.int64)
    for chip in chips:
        sample = data.read(chip)
        bands = dict(zip(data.bands, sample.image, strict=True))
        green, nir = bands["GREEN"], bands["NIR_NARROW"]
        water = np.nan_to_num((green - nir) / (green + nir)) > threshold
        total += metrics.confusion(sample.mask[:, part], water[:, part].astype(int), 2)
    return total


def row(found: Comparison, run: str, area: str) -> pd.Series:
    table = found.table()
    (only,) = table[(table["run"] == run) & (table["area"] == area)].to_dict("records")
    return pd.Series(only)


@pytest.fixture(scope="module")
def runs(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Run]:
    """An index that finds the water, and one that calls nothing water; both scored."""
    folder = tmp_path_factory.mktemp("scored")
    found = [trained(folder / name, SpectralIndex(threshold=threshold), split)
             for name, threshold in (("ndwi", 0.0), ("never", 1.0))]
    for run in found:
        evaluate(run, device="cpu")
    return found


@pytest.fixture(scope="module")
def halves(split: Split) -> geopandas.GeoDataFrame:
    """Ten columns of each held-out chip in one area, the others in another."""
    chips = list(split.held_out)
    return polygons(west=columns(split.dataset, chips, -5, 10),
                    east=columns(split.dataset, chips, 10, 40))


def test_a_border_through_chips_gives_each_polygon_its_own_pixels(
        runs: Sequence[Run], split: Split, halves: geopandas.GeoDataFrame) -> None:
    found = compare(runs, by=halves, exact=True)
    chips = list(split.held_out)
    for run, threshold in zip(runs, (0.0, 1.0), strict=True):
        for area, part in (("west", slice(10)), ("east", slice(10, None))):
            expected = counted(split.dataset, chips, part, threshold)
            here = row(found, run.name, area)
            assert here["miou"] == pytest.approx(metrics.miou(expected), abs=1e-9)
            assert here["accuracy"] == pytest.approx(metrics.accuracy(expected), abs=1e-9)
            assert here["chips"] == len(chips) == 8
            assert here["part"] == "held out"
    assert any("8 of " in note and "cut by their borders" in note for note in found.notes())


def test_pieces_of_chips_add_up_to_what_was_stored(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    found = compare(runs, by=halves, exact=True)
    assert found.cut is not None
    for entry, own in zip(found.cut.entries, found.entries, strict=True):
        whole, pieces = own.first, entry.first
        for chip, together in pieces.chips.groupby(level=0).indices.items():
            at = whole.chips.index.get_loc(chip)
            assert (pieces.counts[together].sum(0) == whole.counts[at]).all()
            np.testing.assert_allclose(pieces.reliability[together].sum(0)[:, [0, 2]],
                                       whole.reliability[at][:, [0, 2]])


def test_totals_chips_and_other_groupings_stay_those_of_whole_chips(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    plain, found = compare(runs), compare(runs, by=halves, exact=True)
    totals = found.table().iloc[:4].rename(columns={"area": "region"})
    pd.testing.assert_frame_equal(totals, plain.table("part"))
    pd.testing.assert_frame_equal(found.table("region"), plain.table())
    pd.testing.assert_frame_equal(found.chips(), plain.chips())


def test_intervals_and_verdicts_are_drawn_from_clusters_of_chips(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    found = compare(runs, by=halves, exact=True)
    assert row(found, "ndwi", "west")["clusters"] == 8
    assert row(found, "ndwi", "west")["low"] <= row(found, "ndwi", "west")["miou"]
    differences = found.differences().set_index("region")
    assert differences.index.tolist() == ["east", "west"]
    assert (differences["verdict"] == "better").all()
    assert "in East by " in found.verdicts()[0]
    assert "west" in repr(found)


def test_polygons_in_another_crs_hold_the_same_pixels(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    tables = [compare(runs, by=areas, exact=True).table().drop(columns=["low", "high"])
              for areas in (halves, halves.to_crs("EPSG:4326"), halves.to_crs("EPSG:32719"))]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


def test_a_turn_around_the_globe_is_the_same_place(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    turned = halves.to_crs("EPSG:4326")
    turned["geometry"] = turned.translate(360)
    pd.testing.assert_frame_equal(compare(runs, by=turned, exact=True).table(),
                                  compare(runs, by=halves, exact=True).table())


def test_a_chip_in_no_polygon_counts_in_the_totals_alone(
        runs: Sequence[Run], split: Split) -> None:
    chips = list(split.held_out)
    found = compare(runs, exact=True, by=polygons(
        some=columns(split.dataset, chips[:3], 4, 40), nowhere=[shapely.box(0, 0, 9, 9)]))
    assert row(found, "ndwi", "some")["chips"] == 3
    assert row(found, "ndwi", "held out")["chips"] == 8
    assert set(found.table()["area"]) == {"in region", "held out", "some"}
    assert "No scored pixel lies in nowhere." in found.notes()


def test_polygons_without_a_chip_leave_the_totals(runs: Sequence[Run]) -> None:
    found = compare(runs, by=polygons(nowhere=[shapely.box(0, 0, 9, 9)]), exact=True)
    assert len(found.table()) == 4
    assert found.differences().empty


def test_overlapping_polygons_share_pixels_and_it_is_said(
        runs: Sequence[Run], split: Split) -> None:
    chips = list(split.held_out)
    areas = polygons(left=columns(split.dataset, chips, -5, 20),
                     right=columns(split.dataset, chips[:2], 10, 40))
    found = compare(runs, by=areas, exact=True)
    expected = counted(split.dataset, chips[:2], slice(10, None), 0.0)
    assert row(found, "ndwi", "right")["miou"] == pytest.approx(metrics.miou(expected), abs=1e-9)
    assert "Polygons overlap: pixels of 2 chips count in several of them." in found.notes()


def test_a_border_through_pixel_centres_gives_each_pixel_to_one_polygon(
        runs: Sequence[Run], split: Split) -> None:
    chips = list(split.held_out)
    areas = polygons(west=columns(split.dataset, chips, -5, 10.5),
                     east=columns(split.dataset, chips, 10.5, 40))
    found = compare(runs, by=areas, exact=True)
    assert not any("overlap" in note for note in found.notes())
    assert found.cut is not None
    pieces = found.cut.entries[0].first
    held_out = found.entries[0].first.chips["part"] == "held_out"
    assert pieces.counts.sum() == found.entries[0].first.counts[held_out.to_numpy()].sum()


def test_chips_that_no_border_crosses_are_not_predicted_again(
        runs: Sequence[Run], split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing has to be asked or opened")

    monkeypatch.setattr(Answers, "of", refuse)
    monkeypatch.setattr(Run, "split", property(refuse))
    whole = polygons(all=columns(split.dataset, list(split.held_out), -5, 40))
    exact, by_middle = (compare(runs, by=whole, exact=exact).table() for exact in (True, False))
    pd.testing.assert_frame_equal(exact, by_middle)


def test_two_seeds_and_several_splits_are_cut_run_by_run(
        split: Split, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
        halves: geopandas.GeoDataFrame) -> None:
    folder = tmp_path_factory.mktemp("splits")
    other = split.dataset.split(hold_out=["bolivia", "ghana"])
    runs = [trained(folder / f"run-{number}", SpectralIndex(threshold=threshold), one)
            for number, (one, threshold) in enumerate([(split, 0.0), (other, 1.0)])]
    scores = [evaluate(run, device="cpu") for run in runs]
    entry = Entry("index", (pooled("index", scores),), (None,), tuple(runs))
    monkeypatch.setattr(comparison, "entries_of", lambda _: ([entry], {}))
    here = row(compare(runs, by=halves, exact=True), "index", "west")
    expected = sum(counted(split.dataset, list(split.held_out), slice(10), threshold)
                   for threshold in (0.0, 1.0))
    assert here["miou"] == pytest.approx(metrics.miou(expected), abs=1e-9)


def test_labels_that_have_changed_since_are_noticed(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame,
        monkeypatch: pytest.MonkeyPatch) -> None:
    read = Dataset.read

    def drawn_anew(self: Dataset, chip: str):
        sample = read(self, chip)
        return dataclasses.replace(sample, mask=np.maximum(sample.mask, 0))

    compare(runs, by=halves, exact=True)  # what runs answer is known now
    monkeypatch.setattr(Dataset, "read", drawn_anew)
    with pytest.raises(SplitError, match=r"labels of 8 chips.*'ndwi' was scored.*wb\.evaluate"):
        compare(runs, by=halves, exact=True)


def test_polygons_may_be_a_file(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    path = tmp_path / "halves.gpkg"
    halves.to_file(path)
    for exact in (True, False):
        pd.testing.assert_frame_equal(compare(runs, by=str(path), exact=exact).table(),
                                      compare(runs, by=halves, exact=exact).table())
    with pytest.raises(DataError, match=r"by='.*nowhere\.gpkg': there is no such file"):
        compare(runs, by=str(tmp_path / "nowhere.gpkg"))
    path.write_text("no polygons")
    with pytest.raises(DataError, match=r"halves\.gpkg.*cannot be read as polygons"):
        compare(runs, by=str(path))


def test_what_cannot_be_cut_is_refused_with_the_remedy(
        runs: Sequence[Run], halves: geopandas.GeoDataFrame) -> None:
    alone: list[Scores] = [read_scores(run) for run in runs]
    with pytest.raises(RunError, match=r"'ndwi' came without their runs.*exact=False"):
        compare(alone, by=halves, exact=True)
    with pytest.raises(DataError, match=r"by='region' groups whole chips.*Pass polygons"):
        compare(runs, exact=True)
    with pytest.raises(GridError, match="no CRS"):
        compare(runs, by=halves.set_crs(None, allow_override=True), exact=True)
