"""What holds for every notebook as it is stored: a new one is tested by being there."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.notebooks.reading import FOLDER, code_cells, outputs, read

NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
MOST_MEGABYTES = 2.0


@pytest.fixture(params=NAMES)
def stored(request):
    return read(request.param)


def test_it_is_valid_and_was_run_in_order(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_outputs_are_ordinary_ones_that_outlive_the_kernel(stored):
    assert "widgets" not in stored.metadata
    for output in outputs(stored):
        assert output.output_type != "error"
        assert not [kind for kind in output.get("data", {}) if "widget" in kind]


def test_it_says_what_is_simulated(stored):
    first = "\n".join(cell.source for cell in stored.cells[:2])
    assert "**simulated**" in first


def test_nothing_of_the_machine_it_ran_on_is_stored(stored):
    assert not re.search(r"/(home|root|tmp|Users|work)/", nbformat.writes(stored))
    assert not any(output.get("name") == "stderr" for output in outputs(stored))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_enough_for_a_repository(name):
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MOST_MEGABYTES * 1e6
