from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import pytest
from matplotlib.colors import to_rgb

from workbench.plots import style
from workbench.plots.style import Picture, themed


def drawn() -> Picture:
    with themed("light"):
        figure = Picture(figsize=(2, 1))
        figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_a_theme_ends_with_its_block():
    before = dict(mpl.rcParams)
    with themed("dark") as look:
        assert style.current() is look is style.DARK
    assert dict(mpl.rcParams) == before
    assert style.current() is style.LIGHT


def test_an_svg_turns_dark_with_the_page_and_holds_no_light_colour_outside_its_variables():
    svg = drawn().svg()
    assert "@media (prefers-color-scheme:dark)" in svg
    body = svg[svg.index("</style>"):].lower()
    assert style.LIGHT.surface.lower() not in body
    assert style.LIGHT.rule.lower() not in body


def test_the_same_figure_gives_the_same_svg():
    assert drawn().svg() == drawn().svg()


def test_a_picture_shows_itself_as_png_at_its_natural_size():
    png, size = drawn()._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert size == {"width": 192, "height": 96}


@pytest.mark.parametrize("look", [style.LIGHT, style.DARK])
def test_runs_are_coloured_and_baselines_grey(look):
    colours = [to_rgb(colour) for colour in look.runs]
    assert all(max(colour) - min(colour) > 0.2 for colour in colours)
    assert all(max(to_rgb(grey)) - min(to_rgb(grey)) < 0.12 for grey in look.baselines)


def test_baselines_differ_by_marker_because_greys_are_hard_to_tell_apart():
    markers = style.run_markers(["lora", "ndwi", "mndwi"], ["ndwi", "mndwi"])
    assert len(set(markers.values())) == 3
    assert markers["lora"] == "o"


def test_runs_that_share_a_colour_differ_by_marker():
    names = [f"run {place}" for place in range(10)]
    colours, markers = style.run_colours(names), style.run_markers(names)
    assert len({(colours[name], markers[name]) for name in names}) == 10


def test_only_installed_fonts_are_asked_for(caplog):
    drawn().png()
    assert "findfont" not in caplog.text


def test_of_two_threads_that_draw_the_second_waits_and_no_setting_stays_behind():
    before = dict(mpl.rcParams)
    inside = []

    def draw_too() -> None:
        with themed("dark"):
            inside.append("other")

    with themed("light"):
        other = threading.Thread(target=draw_too)
        with ThreadPoolExecutor(1) as third:
            assert not third.submit(style._SETTINGS.acquire, blocking=False).result()
        other.start()
        with themed("dark"):  # within the same thread there is nothing to wait for
            inside.append("this")
    other.join(60)
    assert inside == ["this", "other"]
    assert dict(mpl.rcParams) == before
