import numpy as np
import pytest
from affine import Affine

from tests.data.conftest import GRID, write_tif
from workbench.data.raster import check_same_grid, crs_text, describe, open_raster, read_window
from workbench.errors import DataError, GridError

PIXELS = np.arange(2 * 64 * 64, dtype=np.int16).reshape(2, 64, 64)


def test_a_window_is_read_as_stored(tmp_path):
    path = write_tif(tmp_path / "a.tif", PIXELS)
    np.testing.assert_array_equal(read_window(path, [2, 1], 3, 5, 7, 11),
                                  PIXELS[::-1, 3:10, 5:16])


def test_a_file_replaced_after_reading_is_read_anew(tmp_path):
    path = write_tif(tmp_path / "a.tif", PIXELS)
    read_window(path, [1], 0, 0, 4, 4)
    write_tif(path, PIXELS[:, :32, :32] + 1)
    assert read_window(path, [1], 0, 0, 1, 1)[0, 0, 0] == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.tif cannot be read: No such file or directory"):
        describe(tmp_path / "gone.tif")


def test_another_format_is_refused_with_the_conversion(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    with pytest.raises(DataError, match=r"gdal_translate a\.png a\.tif"):
        describe(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"not a tiff at all", b"II*\0"])
def test_a_file_that_is_no_geotiff_says_so_with_its_size(tmp_path, content):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.tif \({len(content)} bytes\) cannot be opened"):
        describe(path)


def test_a_truncated_file_opens_but_says_where_reading_failed(tmp_path):
    path = write_tif(tmp_path / "a.tif", PIXELS)
    path.write_bytes(path.read_bytes()[:9000])
    assert describe(path).count == 2
    with pytest.raises(DataError, match=r"rows 60 to 63.*truncated or damaged \(9000 bytes"):
        read_window(path, [1, 2], 60, 0, 4, 64)


def test_complex_numbers_are_refused_with_the_remedy(tmp_path):
    path = write_tif(tmp_path / "slc.tif", np.zeros((4, 4), np.complex64))
    with pytest.raises(DataError, match=r"holds complex numbers \(complex64\); .*power in dB"):
        describe(path)


def test_a_crs_is_told_by_its_code_and_a_missing_one_is_none(tmp_path):
    assert describe(write_tif(tmp_path / "a.tif", PIXELS)).crs == "EPSG:32630"
    bare = describe(write_tif(tmp_path / "b.tif", PIXELS, crs=None, transform=None))
    assert (bare.crs, bare.georeferenced) == (None, False)
    assert crs_text(None) is None


def test_a_handle_is_kept_open_but_never_shared_with_a_forked_process(tmp_path, monkeypatch):
    path = write_tif(tmp_path / "a.tif", PIXELS)
    handle = open_raster(path)
    assert open_raster(path) is handle
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert open_raster(path) is not handle


def grids(tmp_path, **mask_profile):
    mask = mask_profile.pop("mask", PIXELS[0])
    return (describe(write_tif(tmp_path / "i.tif", PIXELS)),
            describe(write_tif(tmp_path / "m.tif", mask, **mask_profile)))


def test_equal_grids_pass_and_so_does_rounding_of_coordinates(tmp_path):
    check_same_grid(*grids(tmp_path))
    check_same_grid(*grids(tmp_path, transform=Affine(30, 0, 600_000.0001, 0, -30, 4_200_000)))


def test_a_mask_shifted_by_half_a_pixel_is_refused_with_the_shift(tmp_path):
    pair = grids(tmp_path, transform=Affine(30, 0, 600_015, 0, -30, 4_200_000))
    with pytest.raises(GridError, match=r"i\.tif and .*m\.tif differ: .* up to 0\.5 pixels apart"):
        check_same_grid(*pair)


def test_a_mask_of_another_pixel_size_is_refused(tmp_path):
    with pytest.raises(GridError, match=r"up to 21\.3 pixels apart.*rio warp m\.tif"):
        check_same_grid(*grids(tmp_path, transform=Affine(20, 0, 600_000, 0, -20, 4_200_000)))


def test_a_mask_of_another_shape_is_refused(tmp_path):
    with pytest.raises(GridError, match=r"m\.tif has 63 × 64 pixels, its image .*has 64 × 64"):
        check_same_grid(*grids(tmp_path, mask=PIXELS[0, :63]))


def test_a_mask_in_another_crs_is_refused(tmp_path):
    with pytest.raises(GridError, match=r"\(CRS EPSG:32630 and EPSG:32631\)"):
        check_same_grid(*grids(tmp_path, crs="EPSG:32631"))


def test_crs_that_differ_in_words_only_are_the_same_grid(tmp_path):
    wkt = ('PROJCS["UTM 30N",GEOGCS["x",DATUM["unknown",SPHEROID["WGS 84",6378137,298.257223563]],'
           'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
           'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
           'PARAMETER["central_meridian",-3],PARAMETER["scale_factor",0.9996],'
           'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]')
    check_same_grid(*grids(tmp_path, crs=wkt))


def test_a_mask_without_position_belongs_to_an_image_of_its_shape(tmp_path):
    check_same_grid(*grids(tmp_path, crs=None, transform=None))


def test_a_shift_is_seen_without_any_crs(tmp_path):
    image = describe(write_tif(tmp_path / "i.tif", PIXELS, crs=None))
    shifted = Affine(30, 0, GRID.c + 15, 0, -30, GRID.f)
    mask = describe(write_tif(tmp_path / "m.tif", PIXELS[0], crs=None, transform=shifted))
    with pytest.raises(GridError, match=r"0\.5 pixels apart"):
        check_same_grid(image, mask)


def test_an_image_without_position_needs_one_when_its_mask_has_one(tmp_path):
    image = describe(write_tif(tmp_path / "i.tif", PIXELS, crs=None, transform=None))
    mask = describe(write_tif(tmp_path / "m.tif", PIXELS[0]))
    with pytest.raises(GridError, match=r"i\.tif has no geotransform, but its mask"):
        check_same_grid(image, mask)
