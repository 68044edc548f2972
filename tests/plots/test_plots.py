"""What holds for every plot."""

from __future__ import annotations

import pytest
from matplotlib._pylab_helpers import Gcf

from workbench.catalog import open_catalog
from workbench.errors import DataError, UnknownNameError
from workbench.plots import PLOTS, chips, curves, plot, render, world


@pytest.fixture
def tables(make_events, scores, tiny_floods) -> dict:
    return {
        "curves": curves.data({"a long name of a run": make_events(), "b": make_events()}),
        "regions": scores,
        "world": world.data(open_catalog()["simulated-floods"]),
        "chips": chips.data(tiny_floods.split(hold_out=["bolivia"]), count=2),
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["curves", "regions", "world", "chips"])
def test_nothing_is_clipped(tables, kind, theme):
    figure = render(PLOTS[kind], tables[kind], theme=theme)
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_no_figure_is_left_in_global_state(tables):
    for kind, table in tables.items():
        render(PLOTS[kind], table)
    assert not Gcf.get_all_fig_managers()


def test_the_kind_follows_from_the_source(make_events, tiny_floods):
    assert len(plot(make_events()).axes) > 1
    assert len(plot(tiny_floods).axes) == 1


def test_an_unknown_kind_names_the_nearest(make_events):
    with pytest.raises(UnknownNameError, match="Did you mean 'curves'"):
        plot(make_events(), "curve")


def test_what_has_no_picture_says_what_has():
    with pytest.raises(DataError, match="knows no picture for int"):
        plot(3)
