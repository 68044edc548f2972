"""The form that makes a recipe, turned by mouse and keyboard in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

FORM = "import workbench as wb\npanel = wb.configure(key='form')\npanel"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in (FORM, "print('value:', panel.value)")]
    path = tmp_path / "form.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    return path


@pytest.mark.timeout(240)
def test_a_recipe_is_made_with_the_form(run_notebook, notebook):
    lab = run_notebook(notebook, timeout_s=120)
    form = lab.outputs.locator(".wb-form")
    drawing = form.locator("svg")
    drawing.get_by_text("frozen + adapter", exact=True).wait_for(timeout=60_000)
    said = drawing.get_attribute("aria-label")

    rank = form.get_by_label("rank", exact=True)
    rank.fill("0")
    form.get_by_text("rank=0 is below 1.").wait_for()
    rank.fill("64")
    form.get_by_text("rank=0 is below 1.").wait_for(state="detached")
    form.locator(f"svg:not([aria-label='{said}'])").wait_for()

    form.get_by_role("button", name="Code").click()
    assert form.locator(".wb-code").inner_text() == "wb.Recipe(peft=wb.LoRA(rank=64))"

    form.get_by_label("peft", exact=True).select_option("VPT")
    drawing.get_by_text("100 prompts of every block", exact=True).wait_for()
    form.get_by_label("find", exact=True).fill("decur")
    names = form.get_by_label("backbone", exact=True).locator("option")
    names.filter(has_text="clay_v1").wait_for(state="detached")
    assert names.count() == 2, "what matches, and what is chosen"
    form.get_by_label("backbone", exact=True).select_option(index=1)
    form.get_by_text("VPT does not fit 'decur_resnet50'").wait_for()
    form.get_by_label("peft", exact=True).select_option("NormTuning")
    drawing.get_by_text("stride 32 · 2048 channels", exact=True).wait_for()

    # The cells run again: the form goes on from its value, and the next cell reads it.
    lab.run_all(60)
    value = "Recipe(backbone='decur_resnet50', peft=NormTuning())"
    lab.outputs.get_by_text(f"value: {value}").wait_for()
