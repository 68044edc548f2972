"""The doctor on the real samples: quiet where they are right, right where they are wrong."""

import numpy as np
import pytest
import rasterio

from tests.data.conftest import write_tif
from workbench.data import Dataset

S2 = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]
SIX = ["B2", "B3", "B4", "B8A", "B11", "B12"]


def told(split, *levels):
    return {finding.check: str(finding) for finding in split.audit().findings
            if finding.level in (levels or ("warning", "error"))}


@pytest.fixture(scope="module")
def chip():
    from tests.plugin import SHARED, NeedlessSkips

    folder = SHARED / "real/sen1floods11_sample"
    if not folder.is_dir():
        pytest.skip(NeedlessSkips.NO_SHARED)
    with (rasterio.open(folder / "Spain_7370579_S2Hand.tif") as image,
          rasterio.open(folder / "Spain_7370579_LabelHand.tif") as mask):
        return image.read(), mask.read(1).astype(np.int16)


@pytest.fixture
def spain(chip, tmp_path):
    def open_with(bands=S2, *, scale=1e-4, change=None, relabel=None):
        image, mask = chip
        image = image if change is None else change(image.astype(float)).astype(np.float32)
        mask = mask if relabel is None else relabel(mask)
        write_tif(tmp_path / "spain_S2.tif", image)
        write_tif(tmp_path / "spain_label.tif", mask)
        return Dataset.from_folder(
            str(tmp_path / "*_S2.tif"), str(tmp_path / "*_label.tif"), bands=bands, scale=scale,
            classes=["land", "water"], chip_size=64, region="spain",
        )
    return open_with


def renamed(*pairs):
    names = dict(zip(S2, S2, strict=True))
    for one, other in pairs:
        names[one], names[other] = other, one
    return [names[band] for band in S2]


@pytest.mark.parametrize("bands", [S2, SIX])
def test_a_real_chip_is_not_warned_of(spain, bands):
    assert told(spain().with_bands(bands).split()) == {}


def test_the_top_of_the_atmosphere_is_noted(spain):
    assert "L1C" in told(spain().split(), "note")["processing level"]


@pytest.mark.parametrize("pair", [("B2", "B4"), ("B4", "B8A"), ("B11", "B12"), ("B8A", "B11")])
def test_bands_named_wrongly_are_told(spain, pair):
    assert "another order" in told(spain(renamed(pair)).split())["band order"]


def test_wrong_units_are_told(spain):
    for scale in (1.0, 1 / 255, 1e-8):
        assert "band values" in told(spain(scale=scale).split())


def test_the_offset_of_1000_is_told(spain):
    found = told(spain(SIX, change=lambda image: image[[1, 2, 3, 8, 11, 12]] + 1000).split(),
                 "warning", "note")
    assert "offset of 1000" in found.get("offset", "")


@pytest.mark.parametrize(
    ("relabel", "words"),
    [
        (lambda mask: np.roll(mask, (3, -4), (0, 1)), "look shifted against the images by"),
        (lambda mask: np.roll(mask, 64, 1), "shifted by one chip"),
        (lambda mask: mask[:, ::-1], ""),
    ],
)
def test_labels_beside_what_they_label_are_told(spain, relabel, words):
    assert words in told(spain(relabel=relabel).split())["label position"]


def test_m_eurosat_has_its_bands_in_another_order_than_named(shared):
    """Its B8A comes last, so that "09" holds cirrus and "10" a short-wave band."""
    import h5py

    from workbench.data.doctor.order import cirrus

    with h5py.File(shared / "real/m_eurosat/m-eurosat_id_1905.hdf5") as file:
        keys = sorted(file)
        image = np.array([file[key][()] for key in keys if file[key].ndim == 2], float) / 1e4
    assert len(image) == 13
    # Sorted names: 01 … 08, 08A, 09, 10 (cirrus), 11, 12.
    names = ("COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3",
             "NIR_BROAD", "NIR_NARROW", "WATER_VAPOR", "CIRRUS", "SWIR_1", "SWIR_2")
    (finding,) = cirrus(names, image.reshape(13, -1))
    assert finding.what.startswith("WATER_VAPOR (0.0008) looks like CIRRUS")
    order = [0, 1, 2, 3, 4, 5, 6, 7, 12, 8, 9, 10, 11]
    assert not list(cirrus(names, image[order].reshape(13, -1)))


def test_of_an_arid_raster_the_order_of_bands_is_not_judged(shared, tmp_path):
    """Its few pixels of 0 in every band are not declared as missing, which is told."""
    with rasterio.open(shared / "real/hls/hls_10band_224_utm14n.tif") as file:
        image = file.read()
    write_tif(tmp_path / "a_S2.tif", image[1:7], nodata=-9999)
    write_tif(tmp_path / "a_label.tif", (np.indices((224, 224))[0] // 8 % 2).astype(np.uint8))
    found = told(Dataset.from_folder(
        str(tmp_path / "*_S2.tif"), str(tmp_path / "*_label.tif"), bands=SIX, scale=1e-4,
        classes=["no", "yes"], chip_size=32, region="one",
    ).split())
    assert "0.2% of the pixels looked at are 0 in every band" in found.pop("nodata as data")
    assert found == {}
