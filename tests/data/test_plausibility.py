import numpy as np
import pytest

from workbench.data.plausibility import implausible_bands

RANDOM = np.random.default_rng(0)


def reflectance(bands=2):
    texture = RANDOM.uniform(0.05, 0.4, (1, 16, 16))
    return (texture + RANDOM.normal(0, 0.02, (bands, 16, 16))).astype(np.float32)


def problems(dataset):
    samples = [dataset.read(chip) for chip in dataset]
    pixels = np.concatenate([sample.image[:, sample.valid] for sample in samples], axis=1)
    return implausible_bands(dataset, pixels, len(samples))


@pytest.fixture
def look(write_pair, open_pairs):
    def open_one(image, **options):
        write_pair("a", image)
        return problems(open_pairs(**{"scale": 1.0, **options}))

    return open_one


def test_reflectance_is_plausible(look):
    assert look(reflectance()) == []


def test_integers_without_a_scale_are_told_the_scale(look):
    (what,) = look((reflectance() * 10_000).astype(np.int16))
    assert "reflectance is 0 to 1" in what
    assert what.endswith("pass scale=0.0001")


def test_a_picture_of_bytes_is_told_its_scale(look):
    (what,) = look((reflectance() * 255).clip(0, 255).astype(np.uint8))
    assert what.endswith(f"pass scale={1 / 255:g}")


def test_scaling_twice_is_seen(look):
    (what,) = look(reflectance(), scale=1e-4)
    assert "may be reflectance already: pass scale=1" in what


def test_negative_values_are_counted(look):
    image = reflectance()
    image[1, :4] = -0.2
    (what,) = look(image)
    assert what.startswith("25% of the values of NIR_NARROW are negative")


def test_an_empty_band_and_a_copied_band_are_seen(look):
    image = reflectance(3)
    image[1] = 0.5
    assert look(image, bands=["BLUE", "CIRRUS", "RED"])[0].startswith("CIRRUS is 0.5 everywhere")


def test_a_copied_band_is_seen(look):
    image = reflectance()
    image[1] = image[0]
    assert look(image) == [
        "RED and NIR_NARROW hold the same values; one of them is a copy"
    ]


def test_radar_in_power_is_told_decibels(look):
    power = RANDOM.uniform(0.01, 0.3, (2, 16, 16)).astype(np.float32)
    assert all("10 * log10(power)" in what for what in look(power, bands=["VV", "VH"]))
    assert look(10 * np.log10(power), bands=["VV", "VH"]) == []


def test_a_dataset_without_a_valid_pixel_left_says_so(write_pair, open_pairs):
    write_pair("a", reflectance())
    dataset = open_pairs(scale=1.0)
    write_pair("a", np.full((2, 16, 16), np.nan, np.float32))
    assert problems(dataset) == ["no valid pixel in 1 train chips looked at"]


def test_a_fill_value_that_no_file_declares_is_seen(look):
    image = reflectance()
    image[1, 0, :3] = 6.5535
    (what,) = look(image)
    assert what.startswith("NIR_NARROW reaches 6.55, reflectance is 0 to 1: 3 of ")
    assert "-a_nodata" in what
