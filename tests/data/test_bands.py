import pytest

from workbench.data.bands import BANDS, canonical, canonical_all, positions
from workbench.errors import BandError


@pytest.mark.parametrize(
    ("alias", "name"),
    [("B8A", "NIR_NARROW"), ("b08a", "NIR_NARROW"), ("nir narrow", "NIR_NARROW"), ("B2", "BLUE"),
     ("b02", "BLUE"), ("Blue", "BLUE"), ("SWIR1", "SWIR_1"), ("swir-2", "SWIR_2"), ("vv", "VV"),
     ("B5", "RED_EDGE_1"), ("B10", "CIRRUS")],
)
def test_aliases_of_any_case_mean_one_canonical_name(alias, name):
    assert canonical(alias) == name


def test_canonical_names_stand_for_themselves_and_aliases_are_unambiguous():
    assert [canonical(name) for name in BANDS] == list(BANDS)
    aliases = [alias for band in BANDS.values() for alias in band.aliases]
    assert len(set(aliases)) == len(aliases)


def test_an_unknown_band_names_the_nearest():
    with pytest.raises(BandError, match=r"No band named 'grene'\. Did you mean 'GREEN'\?"):
        canonical("grene")


def test_a_band_named_twice_is_refused():
    with pytest.raises(BandError, match="names BLUE more than once"):
        canonical_all(["B2", "RED", "blue"])


def test_a_string_is_not_a_list_of_bands():
    with pytest.raises(BandError, match=r"pass a list of names: \['RED'\]"):
        canonical_all("RED")


def test_all_missing_bands_are_named_with_what_is_there():
    with pytest.raises(BandError, match=r"floods has no band RED, SWIR_1\. It has BLUE, GREEN\."):
        positions(["B4", "BLUE", "SWIR_1"], ("BLUE", "GREEN"), "floods")
