from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import DataError
from workbench.plots import plot, preview
from workbench.recipe import SpectralIndex
from workbench.runs import create
from workbench.runs.preview import Preview, write_preview
from workbench.runs.run import Run


@pytest.fixture
def run_of(tiny_floods, tmp_path):
    """Make a run that was never trained, with the preview given."""

    def make(name: str, *chip_ids: str) -> Run:
        folder = tmp_path / name
        create(folder, SpectralIndex(), tiny_floods.split(hold_out=["bolivia"]), {"device": "cpu"})
        if chip_ids:
            count = len(chip_ids)
            label = np.tile(np.array([[0, 1], [1, -1]], np.int16), (count, 1, 1))
            write_preview(folder, Preview(
                epoch=0, chip_ids=np.array(chip_ids), regions=np.array(["sri-lanka"] * count),
                bands=np.array(["RED", "GREEN", "BLUE"]),
                image=np.random.default_rng(0).random((count, 3, 2, 2)).astype(np.float16),
                label=label, prediction=1 - label.clip(0)))
        return Run(folder)

    return make


def test_a_run_shows_its_chips_with_image_label_and_prediction(run_of):
    figure = plot(run_of("lora", "a", "b"), "preview")
    assert [axes.get_title(loc="center") for axes in figure.axes[:2]] == ["Sri-Lanka"] * 2
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["image", "label", "prediction"]


def test_runs_on_the_same_chips_are_shown_together_and_others_left_out(run_of):
    runs = [run_of("lora", "a", "b"), run_of("full", "a", "b"), run_of("other", "c", "d")]
    table = preview.data([*runs, run_of("fresh")])
    assert preview.titles(table) == ["image", "label", "lora", "full"]
    assert len(preview.pictures(table.strips[0], table.colours)) == 4


def test_before_the_first_epoch_there_is_nothing_to_draw(run_of):
    with pytest.raises(DataError, match="end of the first epoch"):
        plot(run_of("fresh"), "preview")
