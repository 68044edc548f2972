"""The picture of a model: of every method, in both themes, and small enough for a notebook."""

from __future__ import annotations

import pytest
from matplotlib.transforms import Bbox

from workbench.assembly import describe
from workbench.peft import METHODS
from workbench.plots import plot
from workbench.recipe import Recipe, SpectralIndex


def recipe(kind: str) -> Recipe:
    return Recipe(peft=kind)


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_has_a_picture_whose_words_do_not_overlap(kind):
    figure = plot(describe(recipe(kind)))
    page = Bbox.from_bounds(0, 0, *figure.canvas.get_width_height())
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert all(page.fully_containsx(box.x0) and page.fully_containsx(box.x1) for box in boxes)
    for place, box in enumerate(boxes):
        for other, near in zip(texts[:place], boxes[:place], strict=True):
            assert not box.padded(-1).overlaps(near.padded(-1)), (texts[place], other)


def test_a_convolutional_network_has_one_too():
    figure = plot(Recipe(backbone="decur_resnet50", peft="full"))
    assert "stride 32 · 2048 channels" in {text.get_text() for text in figure.axes[0].texts}


def test_the_picture_says_what_the_diagram_says():
    said = describe(recipe("lora"))
    words = " ".join(text.get_text() for text in plot(said).axes[0].texts)
    for part in said.parts:
        assert part.name in words
    for line in said.summary().split(" · "):
        assert line in words
    assert repr(said.recipe) in words


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_small_enough_for_a_notebook(theme):
    png, _ = plot(recipe("vit_adapter"), theme=theme)._repr_png_()
    assert len(png) <= 200_000


def test_a_recipe_is_described_on_the_way():
    given = plot(recipe("lora"), classes=5)
    assert "5 classes at every pixel" in {text.get_text() for text in given.axes[0].texts}


def test_an_index_has_a_picture_without_blocks():
    assert "NDWI" in {text.get_text() for text in plot(SpectralIndex()).axes[0].texts}
