"""The panel that makes a recipe: value, form, drawing and line of code say the same."""

from __future__ import annotations

import threading

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

import workbench as wb
from workbench.assembly import describe
from workbench.errors import DataError
from workbench.models.backbones import BACKBONES
from workbench.peft import VPT, FullFineTuning, LoRA
from workbench.recipe import Recipe
from workbench.widgets.configure import Configure, configure
from workbench.widgets.latest import Latest


@pytest.fixture
def panel():
    made = configure()
    yield made
    made.wait()


def test_it_starts_from_the_defaults_or_from_a_recipe(panel):
    assert panel.value == Recipe()
    given = Recipe(backbone="prithvi_eo_v2_tiny_tl", peft=VPT(tokens=7), metadata="both")
    other = configure(recipe=given)
    assert other.value == given
    assert other._form.read() == given
    other.wait()


def test_turning_a_knob_changes_value_line_and_drawing(panel):
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), "value")
    panel._form.fields["peft"].form.fields["rank"].control.value = 4
    assert seen == [panel.value] == [Recipe(peft=LoRA(rank=4))]
    assert repr(panel) == "wb.Recipe(peft=wb.LoRA(rank=4))"
    assert repr(panel) in panel._code.value
    panel.wait()
    assert panel._picture.value == describe(panel.value).svg()
    assert panel._status.value == ""


def test_an_invalid_value_keeps_the_last_recipe_and_says_why(panel):
    rank = panel._form.fields["peft"].form.fields["rank"]
    rank.control.value = 0
    assert panel.value == Recipe()
    assert "rank=0 is below 1." in rank._message.value
    rank.control.value = 2
    assert panel.value == Recipe(peft=LoRA(rank=2))
    assert rank._message.value == ""


def test_setting_the_value_fills_the_form(panel):
    bands = ("RED", "NIR_NARROW")
    panel.value = Recipe(peft="full", decoder="fcn", learning_rate=1e-5, bands=bands)
    fields = panel._form.fields
    assert fields["peft"].control.value == "full"
    assert fields["decoder"].control.value == "fcn"
    assert fields["learning_rate"].control.value == "1e-05"
    assert fields["bands"].control.value == "RED, NIR_NARROW"


def test_only_methods_that_fit_are_offered_and_the_others_say_why_not(panel):
    fields = panel._form.fields
    fields["backbone"].control.value = "decur_resnet50"
    assert panel.value == Recipe(), "LoRA does not fit: the last recipe stays"
    assert "LoRA does not fit" in fields["peft"]._message.value
    assert "VPT: it has no transformer blocks." in panel._misfits.value
    fields["peft"].control.value = "full"
    assert panel.value == Recipe(backbone="decur_resnet50", peft=FullFineTuning())
    offered = {kind for _, kind in fields["peft"].control.options}
    assert offered >= {"full", "linear_probe", "norm_tuning"}
    assert "vpt" not in offered


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("size", 1e7, lambda name: name in {
            "galileo_nano", "galileo_tiny", "workbench_tiny", "prithvi_eo_v2_tiny_tl",
            "unet_encoder"}),
        ("licence", "MIT", lambda name: name.startswith("galileo") or name == "workbench_tiny"),
        ("band", ("CIRRUS",), lambda name: name in {"decur_resnet50", "workbench_tiny"}),
        ("text", "prithvi_eo_v2_6", lambda name: "v2_6" in name or name == "workbench_tiny"),
        ("text", "nothing like it", lambda name: name == "workbench_tiny"),
    ],
)  # fmt: skip
def test_filters_narrow_the_backbones_and_keep_the_chosen_one(panel, name, value, left):
    field = panel._form.fields["backbone"]
    getattr(field, name).value = value
    assert {entry for _, entry in field.control.options} == {n for n in BACKBONES if left(n)}
    assert panel.value == Recipe()


def test_a_network_of_timm_is_found_by_its_whole_name(panel):
    field = panel._form.fields["backbone"]
    field.text.value = "timm/convnext_tiny"
    field.control.value = "timm/convnext_tiny"
    panel._form.fields["peft"].control.value = "full"
    assert panel.value.backbone == "timm/convnext_tiny"


def test_facts_tell_of_downloads_and_of_bands_that_are_new(tiny_floods):
    made = configure(tiny_floods, Recipe(backbone="timm/vit_small_patch16_224"))
    facts = made._form.fields["backbone"]._facts
    assert "not pre-trained on the data&#x27;s" in facts.value
    made.value = Recipe(backbone="prithvi_eo_v2_100_tl")
    assert "needs a download of 454.7 MB from ibm-nasa-geospatial" in facts.value
    made.wait()


def test_the_data_shape_the_model(tiny_floods):
    made = configure(tiny_floods.split(hold_out=["bolivia"]))
    made.wait()
    info = tiny_floods.info
    said = describe(made.value, classes=info.classes, bands=tiny_floods.bands,
                    image_size=info.chip_shape)  # fmt: skip
    assert made._picture.value == said.svg()


def test_a_key_keeps_the_value_until_the_cell_runs_again():
    configure(key="a test").value = Recipe(epochs=3)
    again, fresh = configure(key="a test"), configure()
    assert again.value == Recipe(epochs=3)
    assert fresh.value == Recipe()
    assert configure(recipe=Recipe(epochs=5), key="a test").value == Recipe(epochs=5)
    again.wait()
    fresh.wait()


def test_the_line_makes_the_value(panel):
    panel.value = Recipe(peft=LoRA(rank=3, targets=("q",)), loss="focal", learning_rate=2e-4,
                         class_weights=(1.0, 3.0))  # fmt: skip
    assert eval(repr(panel), {"wb": wb}) == panel.value


@pytest.fixture
def displayed(tmp_path, monkeypatch):
    """What IPython is asked to display."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_a_stored_notebook_keeps_the_line_in_an_output_without_a_widget(displayed, panel):
    panel._ipython_display_()
    form, line = (output["data"] for output in displayed)
    assert "application/vnd.jupyter.widget-view+json" in form
    assert line["text/plain"] == "wb.Recipe()"
    assert not [kind for kind in line if "widget" in kind]
    panel.value = Recipe(epochs=2)
    assert displayed[-1]["data"]["text/plain"] == "wb.Recipe(epochs=2)"
    assert displayed[-1]["transient"] == displayed[1]["transient"]


def test_only_the_last_of_many_requests_is_worked_on():
    done: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(number: int) -> None:
        done.append(number)
        begun.set()
        go_on.wait(10)

    latest = Latest(work, pause_s=0.01)
    latest.ask(0)
    begun.wait(10)
    for number in range(1, 9):
        latest.ask(number)
    go_on.set()
    latest.wait(10)
    assert done == [0, 8]
    latest.ask(9)
    latest.wait(10)
    assert done[-1] == 9


def test_work_that_failed_does_not_stop_the_next(monkeypatch):
    failed: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failed.append(str(args.exc_value)))
    done: list[int] = []
    latest = Latest(lambda number: done.append(1 // number), pause_s=0.01)
    for number in (0, 1):
        latest.ask(number)
        latest.wait(10)
    assert len(failed) == 1
    assert done == [1]


def test_what_is_asked_for_while_work_fails_is_done(monkeypatch):
    failed: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failed.append(str(args.exc_value)))
    done: list[int] = []
    go_on = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            assert go_on.wait(60)
            latest.ask(1)
            raise ValueError("the first fails")
        done.append(number)

    latest = Latest(work, pause_s=0)
    latest.ask(0)
    first = latest._thread
    go_on.set()
    first.join(60)
    latest.wait(60)
    assert failed == ["the first fails"]
    assert done == [1]


def test_a_recipe_in_the_place_of_the_data_is_told_where_it_belongs():
    with pytest.raises(DataError, match="goes into recipe="):
        configure(Recipe())


def test_what_nobody_expected_is_said_above_the_drawing_and_reported(panel, monkeypatch):
    reported = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    monkeypatch.setattr("workbench.widgets.configure.describe", lambda *_, **__: {}["blocks"])
    panel.value = panel.value.but(epochs=3)
    panel.wait()
    assert "Unexpected KeyError" in panel._status.value
    assert [report.exc_type for report in reported] == [KeyError]


def test_what_the_data_lack_is_said_above_the_drawing(tiny_floods):
    made = configure(tiny_floods, Recipe(bands=("CIRRUS",)))
    made.wait()
    assert "CIRRUS" in made._status.value
    assert "wb-problem" in made._status.value


def test_public_name():
    assert wb.configure is configure
    made = configure()
    assert isinstance(made, Configure)
    made.wait()
