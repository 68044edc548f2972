"""The whole Workbench by mouse, from an empty start to a comparison."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from workbench.runs import list_runs

pytestmark = pytest.mark.browser

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
CELLS = (
    "import workbench as wb\napp = wb.Workbench(root={root!r})\napp",
    "print('value:', app.value)",
)


@pytest.fixture
def notebook(tmp_path: Path, root: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source.format(root=str(root))) for source in CELLS]
    path = tmp_path / "workbench.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    return path


@pytest.mark.usefixtures("floods_at_hand")
@pytest.mark.timeout(600)
def test_from_an_empty_start_to_a_comparison(run_notebook, notebook, root):
    lab = run_notebook(notebook, timeout_s=120)
    page = lab.page
    app = lab.outputs.locator(".wb-app")
    steps = app.locator(".wb-steps")

    # No step is a dead end: each says what to do first, and leads there.
    steps.get_by_role("button", name="Compare").click()
    app.get_by_text("Nothing to compare yet").wait_for()
    app.get_by_role("button", name="Train a model").click()
    app.locator(".wb-empty").get_by_text("Choose data first").wait_for()
    app.get_by_role("button", name="Choose data").click()

    app.get_by_role("button", name="Simulated floods (SIMULATED)").click()
    app.get_by_role("button", name="Open 440 chips").click()
    steps.get_by_text("Bolivia held out").wait_for(timeout=90_000)
    app.get_by_role("button", name="Continue to the model").click()

    form = app.locator(".wb-form").first
    form.get_by_label("peft", exact=True).select_option("LinearProbe")
    form.get_by_label("decoder", exact=True).select_option("linear")
    form.get_by_label("epochs", exact=True).fill("1")
    steps.get_by_text("workbench_tiny · LinearProbe · linear").wait_for()
    app.locator(".wb-cost").first.wait_for(timeout=120_000)
    app.get_by_role("button", name="Continue to training").click()

    app.locator("button.jupyter-button", has_text=re.compile(r"^\s*Train\s*$")).click()
    rows = app.locator(".wb-rows")
    rows.locator("[data-state=running]").wait_for(timeout=120_000)
    app.locator(".wb-board").get_by_text("epoch 1 of 1").wait_for()

    # The cell runs again while it trains: nothing is lost.
    lab.run_all(120)
    steps.get_by_text("Bolivia held out").wait_for()
    assert steps.locator("[aria-current]").inner_text().split("\n")[1] == "Train"
    rows.locator("[data-state=finished]").wait_for(timeout=240_000)

    app.get_by_role("button", name="Continue to the comparison").click(timeout=60_000)
    compare = page.locator(".wb-compare")
    compare.wait_for(timeout=120_000)
    app.get_by_text("workbench_tiny-linear-probe-linear").first.wait_for()
    steps.get_by_role("button", name="Code").click()
    script = app.locator(".wb-script pre").inner_text()
    assert "split = dataset.split(hold_out=['bolivia'])" in script
    assert "comparison = wb.compare([workbench_tiny_linear_probe_linear])" in script
    compile(script, "script", "exec")

    lab.run_all(120)
    said = lab.outputs.get_by_text("value: State(split=train").last
    said.wait_for()
    assert "comparison=None" not in said.inner_text()
    assert len(list_runs(root)) == 1

    # Another kernel goes on where this one ended.
    lab.restart_kernel()
    lab.run_all(120)
    steps.get_by_text("Bolivia held out").wait_for()
    assert steps.locator("[aria-current]").inner_text().split("\n")[1] == "Compare"
    assert app.locator(".wb-notice").count() == 0
    page.locator(".wb-compare").wait_for(timeout=120_000)
    steps.get_by_role("button", name="Code").click()
    assert app.locator(".wb-script pre").inner_text() == script
    app.locator(".wb-compared table").nth(1).wait_for(state="attached")
    assert_nothing_is_cut_off(page, 430, ".wb-steps li, .wb-compared div, .wb-compared table")
    assert_nothing_is_cut_off(page, 280, ".wb-compared div, .wb-compared table")


def assert_nothing_is_cut_off(page, width: int, parts: str) -> None:
    """Make the Workbench narrow: its tables scroll by themselves, what is said of them wraps."""
    beyond, hidden = page.evaluate(
        """async ([width, parts]) => {
            const app = document.querySelector('.wb-app');
            app.style.width = `${width}px`;
            await new Promise(done => setTimeout(done, 200));
            const edge = app.getBoundingClientRect().right + 1;
            const shown = [...app.querySelectorAll(parts)];
            const beyond = shown.filter(node => node.getBoundingClientRect().right > edge);
            const hidden = shown.filter(node => node.scrollWidth > node.clientWidth + 1
                && getComputedStyle(node).overflowX !== 'auto');
            app.style.width = '';
            return [beyond, hidden].map(nodes => nodes.map(node => node.outerHTML.slice(0, 200)));
        }""", [width, parts])
    assert not beyond + hidden
    assert page.locator(".wb-compared table").count() == 2
