from __future__ import annotations

import dataclasses

import geopandas
import numpy as np
import pytest
import shapely

from tests.evaluation.conftest import placed, synthetic
from workbench.errors import DataError, GridError, RunError, UnknownNameError
from workbench.evaluation import compare

LORA = placed(synthetic("lora", skill=2.5, noise=1))
NDWI = placed(synthetic("ndwi", skill=0.5, noise=3, baseline=True))


def polygons(*boxes: tuple[float, ...], **columns: list) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(columns, geometry=[shapely.box(*box) for box in boxes],
                                  crs="EPSG:4326")


def places(table, column: str) -> list[str]:
    return sorted({name for name in table[column] if name not in ("in region", "held out")})


def test_months_are_of_the_year_and_chips_without_a_date_are_a_group_of_their_own() -> None:
    table = LORA.table("month")
    assert places(table, "month") == ["01 January", "02 February", "03 March", "unknown"]
    test = table[table["part"] == "in region"]
    assert test["chips"].iloc[1:].sum() == test["chips"].iloc[0] == 72


def test_any_column_that_the_dataset_has_groups_the_chips() -> None:
    assert places(compare([LORA, NDWI], by="sensor").table(), "sensor") == ["A", "B"]


def test_a_column_of_many_numbers_is_cut_into_quarters() -> None:
    table = LORA.table("cloud")
    found = table[~table["cloud"].isin(["in region", "held out"])]
    assert len(set(found["cloud"])) == 4
    assert found.groupby("cloud")["chips"].sum().tolist() == [21] * 4


def test_polygons_take_the_chips_whose_middle_they_hold() -> None:
    south = polygons((-1, -1, 99, 1.9), (0, 2, 3.1, 4), name=["south", "middle"])
    table = LORA.table(south).set_index(["part", "area"])
    assert table["chips"]["in region", "south"] == 12  # r0; h0 lies there too
    assert table["chips"]["held out", "south"] == 12
    # Of r1 and r2, three boxes lie within; the fourth is only touched.
    assert table["chips"]["in region", "middle"] == 6
    inside = (LORA.chips["region"] == "r0").to_numpy()
    assert table["miou"]["in region", "south"] == pytest.approx(
        LORA.table().set_index("region")["miou"]["r0"])
    assert inside.sum() == 12


def test_polygons_in_another_crs_and_pieces_of_one_area_are_the_same_places() -> None:
    whole = polygons((-1, 0.9, 99, 3.9), name=["middle"])
    pieces = polygons((-1, 0.9, 99, 1.9), (-1, 1.9, 99, 3.9), name=["middle"] * 2)
    expected = LORA.table(whole)
    assert LORA.table(pieces).equals(expected)
    assert LORA.table(whole.to_crs("EPSG:3857")).equals(expected)


def test_verdicts_name_the_polygons() -> None:
    area = polygons((-1, -1, 80, 80), region=["everywhere"])
    comparison = compare([LORA, NDWI], by=area)
    # The area holds chips of both parts, whose models knew it or did not.
    said = comparison.verdicts()[0]
    assert "in Everywhere (in region) by" in said
    assert "Everywhere (held out) by" in said
    assert "everywhere" in repr(comparison)
    assert "everywhere" in comparison._repr_html_()


def test_polygons_without_names_are_numbered() -> None:
    assert places(LORA.table(polygons((-1, -1, 99, 1.9))), "area") == ["0"]


def test_polygons_that_hold_nothing_leave_the_totals() -> None:
    assert len(LORA.table(polygons((50, 50, 51, 51)))) == 2


def test_polygons_without_a_crs_and_scores_without_footprints_are_refused() -> None:
    area = polygons((0, 0, 1, 1))
    with pytest.raises(GridError, match="have no CRS"):
        LORA.table(area.set_crs(None, allow_override=True))
    with pytest.raises(RunError, match=r"before footprints .* wb\.evaluate\(run\)"):
        synthetic().table(area)


def test_polygons_around_a_pole_and_far_away_are_looked_at_in_their_own_crs() -> None:
    north = geopandas.GeoDataFrame(geometry=[shapely.box(-2e7, -2e7, 2e7, 2e7)], crs="EPSG:3413")
    table = LORA.table(north).set_index("area")
    assert table.loc["0", "chips"].sum() == len(LORA.chips)
    zone = geopandas.GeoDataFrame(geometry=[shapely.box(4e5, 0, 6e5, 9e6)], crs="EPSG:32660")
    assert len(LORA.table(zone)) == 2


def test_points_and_lines_are_no_polygons() -> None:
    for shape in (shapely.Point(1, 1), shapely.LineString([(0, 0), (9, 9)])):
        areas = geopandas.GeoDataFrame({"name": ["lake"]}, geometry=[shape], crs="EPSG:4326")
        with pytest.raises(DataError, match="'lake' of the polygons encloses nothing"):
            LORA.table(areas)


@pytest.mark.parametrize("by", ["geometry", "regoin", 3])
def test_what_is_no_grouping_is_refused_with_the_names(by) -> None:
    with pytest.raises(UnknownNameError, match="No grouping named"):
        compare([LORA], by=by)


def test_chips_without_a_place_are_in_no_polygon() -> None:
    lost = LORA.chips.copy()
    lost.loc[lost["region"] == "r0", "geometry"] = None
    table = dataclasses.replace(LORA, chips=lost).table(polygons((-180, -90, 180, 90)))
    assert table["chips"].tolist()[2:] == [60, 12]
    assert np.isfinite(table["miou"]).all()
