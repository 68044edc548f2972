import numpy as np

from workbench.data.doctor.statistics import misfit

BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
# The two sets in use for HLS Burn Scars: TerraTorch's and IBM/peft-geofm's.
TERRATORCH = (np.array([.03335, .05701, .05890, .23232, .19729, .11945]),
              np.array([.02269, .02681, .04004, .07792, .08709, .07242]))
PEFT_GEOFM = (np.array([.05256, .07798, .09466, .21393, .23558, .17104]),
              np.array([.03080, .03756, .05491, .07014, .09106, .08355]))


def test_the_two_statistics_of_burn_scars_do_not_fit_each_other():
    finding = misfit(BANDS, PEFT_GEOFM, TERRATORCH, "the published statistics")
    assert finding.level == "note"
    assert finding.what.startswith("the published statistics do not fit these data: ")


def test_statistics_of_the_data_themselves_fit():
    assert misfit(BANDS, TERRATORCH, TERRATORCH, "these") is None


def test_statistics_in_other_units_or_of_other_bands_are_warned_of():
    mean, std = TERRATORCH
    for given in ((mean * 1e4, std * 1e4), (mean[::-1], std[::-1]), (mean * 0, std * 0 + 1)):
        assert misfit(BANDS, TERRATORCH, given, "these").level == "warning"
