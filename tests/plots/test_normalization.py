import dataclasses

import numpy as np
import pytest

from workbench.data.statistics import band_statistics
from workbench.errors import DataError
from workbench.plots import PLOTS, normalization, plot, render
from workbench.recipe import Recipe


@pytest.fixture
def split(tiny_floods):
    info = tiny_floods.info.model_copy(update={"collection": "sen1floods11"})
    return dataclasses.replace(tiny_floods, info=info).split(
        hold_out="bolivia", by="region", fractions=(0.5, 0.5, 0))


def test_statistics_of_all_three_sources_stand_side_by_side(split):
    table = normalization.data(
        split, Recipe(backbone="prithvi_eo_v2_tiny_tl", normalization="backbone"))
    measured, published, own = table.statistics
    assert [one.whose for one in table.statistics] == ["dataset", "published", "backbone"]
    np.testing.assert_allclose(measured.mean, band_statistics(split.train).mean)
    assert published.mean[published.bands.index("RED")] == pytest.approx(0.12353792)
    assert own.bands == split.dataset.bands
    assert table.chosen == "backbone"


def test_only_training_pixels_are_shown(split):
    table = normalization.data(split)
    some = split.train.read(next(iter(split.train)))
    assert np.isin(some.image[0, some.valid], table.pixels[0]).all()
    assert table.pixels.shape[1] < 32 * 32 * len(split.train)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_band_has_a_panel_and_nothing_is_clipped(split, theme):
    figure = render(PLOTS["normalization"], normalization.data(split), theme=theme)
    assert [panel.get_title(loc="left") for panel in figure.axes] == list(split.dataset.bands)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_bands_that_nobody_else_states_are_measured_alone(tiny_floods):
    table = normalization.data(tiny_floods.with_bands(["RED"]), Recipe(backbone="unet_encoder"))
    assert [one.whose for one in table.statistics] == ["dataset"]
    assert len(plot(tiny_floods.with_bands(["RED"]), "normalization",
                    recipe=Recipe(backbone="unet_encoder")).axes) == 1


def test_no_pixel_is_told(tiny_floods):
    with pytest.raises(DataError, match="no valid pixel"):
        normalization.data(tiny_floods.select([]))
