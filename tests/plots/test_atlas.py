"""A catalogue on a map."""

from __future__ import annotations

import pytest

from workbench.catalog import Catalog, open_catalog
from workbench.errors import DataError
from workbench.plots import PLOTS, plot


def test_a_catalogue_draws_its_places_and_simulated_ones_as_rings():
    catalog = open_catalog()
    figure = plot(catalog)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "Simulated floods (SIMULATED) · 11 places"
    assert not any("cashew" in name for name in names), "it has no place on the map"
    rings, *dots = figure.axes[0].collections[2:]
    assert not len(rings.get_facecolor())
    assert all(len(drawn.get_facecolor()) for drawn in dots)
    assert len(PLOTS["atlas"].data(catalog)) == sum(
        place.bbox is not None for entry in catalog.values() for place in entry.places)


def test_a_catalogue_without_places_says_so():
    catalog = Catalog({"m-cashew-plant": open_catalog()["m-cashew-plant"]})
    with pytest.raises(DataError, match="No collection of the catalogue has a place"):
        plot(catalog)
