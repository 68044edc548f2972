import datetime

import pytest

from workbench.errors import DataError, UnknownNameError

YEARS = {"bolivia": "2018-02-15", "ghana": "2018-09-19", "spain": "2019-09-18"}


@pytest.fixture
def dated(tiny_floods):
    import dataclasses

    dates = [YEARS.get(region) if place else None
             for place, region in enumerate(tiny_floods.chips["region"])]
    return dataclasses.replace(tiny_floods, chips=tiny_floods.chips.assign(date=dates))


def test_chips_are_chosen_by_place(tiny_floods):
    assert tiny_floods.select(within=(-70, -20, -60, -10)).regions == ["bolivia"]
    assert tiny_floods.select(within=(-10, 0, 10, 50)).regions == ["ghana", "spain"]


@pytest.mark.parametrize(("date", "regions", "count"), [
    ("2018", ["bolivia", "ghana"], 15),  # one chip of Bolivia has no date
    ("2018-09", ["ghana"], 8),
    ("2018-09-19", ["ghana"], 8),
    (datetime.date(2019, 9, 18), ["spain"], 8),
    (("2018-03", None), ["ghana", "spain"], 16),
    ((None, "2018-09"), ["bolivia", "ghana"], 15),
    (("2018-02-15", "2018-12-31"), ["bolivia", "ghana"], 15),
])
def test_chips_are_chosen_by_time(dated, date, regions, count):
    chosen = dated.select(date=date)
    assert (chosen.regions, len(chosen)) == (regions, count)


def test_chips_are_chosen_by_class(tiny_floods):
    chips = tiny_floods.chips.copy()
    chips.loc[chips.index[:20], "count_1"] = 0
    import dataclasses

    dry = dataclasses.replace(tiny_floods, chips=chips)
    assert len(dry.select(holds="water")) == 4
    assert len(dry.select(holds=["water", "land"])) == 24
    with pytest.raises(UnknownNameError, match=r"No class named 'watr'\. Did you mean 'water'"):
        dry.select(holds="watr")


def test_conditions_are_met_together(dated):
    assert len(dated.select(region="spain", date="2019", holds="water")) == 8


def test_nothing_left_says_how_many_meet_each_condition(dated):
    with pytest.raises(DataError, match=r"of 24 chips meet region='spain': 8, date='2018': 15"):
        dated.select(region="spain", date="2018")


@pytest.mark.parametrize("date", ["soon", "2018-13", "2018-02-30"])
def test_what_is_no_date_is_refused(dated, date):
    with pytest.raises(DataError, match="is no ISO date"):
        dated.select(date=date)
