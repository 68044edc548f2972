from __future__ import annotations

from workbench.data.choosing import telling_chips


def test_chips_are_spread_over_regions_and_hold_every_class(tiny_floods):
    chosen = tiny_floods.chips.loc[telling_chips(tiny_floods, 6)]
    assert chosen["region"].value_counts().to_dict() == {"bolivia": 2, "ghana": 2, "spain": 2}
    assert (chosen[["count_0", "count_1"]].min(axis=1) > 0).all()


def test_no_place_is_shown_twice_and_the_choice_is_always_the_same(tiny_floods):
    chosen = telling_chips(tiny_floods, 30)
    assert not tiny_floods.chips.loc[chosen, "cluster"].duplicated().any()
    assert chosen == telling_chips(tiny_floods, 30)
