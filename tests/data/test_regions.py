import re
from pathlib import Path

import geopandas
import pandas as pd
import pytest
import shapely

from workbench.data.regions import (
    ACROSS,
    OUTSIDE,
    parse_regions,
    regions_by_polygon,
    regions_from_json,
    regions_to_json,
    scene_regions,
)
from workbench.errors import DataError, GridError

IMAGES = [Path("/d/Sri-Lanka_12_S2.tif"), Path("/d/Ghana_7_S2.tif")]
BOXES = geopandas.GeoDataFrame(
    {"region": ["west", "east"]}, geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)],
    crs="EPSG:4326",
)


@pytest.mark.parametrize(
    "spec",
    [
        "{region}_{number}_S2",
        r"^([A-Za-z-]+)_",
        re.compile(r"^(?P<region>[^_]+)_(\d+)"),
        {"Sri-Lanka_12_S2": "Sri-Lanka", "Ghana_7_S2.tif": "Ghana"},
        pd.DataFrame({"file": ["Ghana_7_S2.tif", "Sri-Lanka_12_S2.tif"],
                      "region": ["Ghana", "Sri-Lanka"]}),
    ],
    ids=["template", "pattern", "compiled", "mapping", "table"],
)
def test_regions_come_from_file_names_and_tables(spec):
    rule = parse_regions(spec)
    assert scene_regions(rule, IMAGES) == ["Sri-Lanka", "Ghana"]
    assert scene_regions(regions_from_json(regions_to_json(rule)), IMAGES) == ["Sri-Lanka", "Ghana"]


def test_a_csv_table_is_read(tmp_path):
    (tmp_path / "r.csv").write_text("file,region\nSri-Lanka_12_S2,LKA\nGhana_7_S2,GHA\n")
    assert scene_regions(parse_regions(str(tmp_path / "r.csv")), IMAGES) == ["LKA", "GHA"]


def test_any_other_string_is_the_region_of_all():
    assert scene_regions(parse_regions("Mekong"), IMAGES) == ["Mekong", "Mekong"]


def test_without_a_rule_it_is_the_folder_else_the_stem():
    assert scene_regions(None, IMAGES) == ["Sri-Lanka_12_S2", "Ghana_7_S2"]
    assert scene_regions(None, [Path("/d/a/x/1.tif"), Path("/d/b/1.tif")]) == ["a", "b"]


def test_files_that_no_rule_fits_are_counted_and_named():
    with pytest.raises(DataError, match=r"pattern '\^\(S\)' does not fit 1 of 2 files, for example "
                                        r"Ghana_7_S2\.tif"):
        scene_regions(parse_regions("^(S)"), IMAGES)
    with pytest.raises(DataError, match="region table does not fit 2 of 2"):
        scene_regions(parse_regions({"x": "y"}), IMAGES)


def test_a_pattern_without_a_group_or_with_a_mistake_is_refused():
    with pytest.raises(DataError, match="has no group; put the region's part"):
        parse_regions(re.compile("^S"))
    with pytest.raises(DataError, match=r"is not a regular expression: .*Example"):
        parse_regions("^(S")


def test_polygons_need_a_region_column_and_a_crs():
    with pytest.raises(DataError, match=r"no column 'region' \(columns: name, geometry\)"):
        parse_regions(BOXES.rename(columns={"region": "name"}))
    with pytest.raises(GridError, match=r"have no CRS\. .*set_crs\('EPSG:4326'\)"):
        parse_regions(BOXES.set_crs(None, allow_override=True))


def test_a_missing_file_of_polygons_is_named():
    with pytest.raises(DataError, match=r"region='gone\.geojson': there is no such file"):
        parse_regions("gone.geojson")


def test_polygons_are_read_from_a_file_and_survive_json(tmp_path):
    BOXES.to_crs("EPSG:3857").to_file(tmp_path / "r.geojson")
    rule = regions_from_json(regions_to_json(parse_regions(str(tmp_path / "r.geojson"))))
    footprints = geopandas.GeoSeries([shapely.box(0.1, 0.1, 0.9, 0.9)], crs="EPSG:4326")
    assert regions_by_polygon(footprints, rule)[0] == ["west"]


def test_chips_across_a_border_or_outside_belong_to_no_region():
    footprints = geopandas.GeoSeries(
        [
            shapely.box(0, 0, 0.5, 0.5), shapely.box(0.8, 0, 1.2, 0.5), shapely.box(1.5, 0, 2, 1),
            shapely.box(1.9, 0, 2.1, 1), shapely.box(3, 0, 4, 1),
        ],
        crs="EPSG:4326",
    )
    regions, reasons = regions_by_polygon(footprints, BOXES)
    assert regions == ["west", None, "east", None, None]
    assert reasons == [None, ACROSS, None, ACROSS, OUTSIDE]
