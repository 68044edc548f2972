"""What the command line is asked for: its help, its options, and errors for people."""

from __future__ import annotations

import subprocess
import sys

import pytest

import workbench as wb
from tests.terminal import fails, run
from workbench import cli
from workbench.cli._recipe import assignments, make_recipe
from workbench.errors import RecipeError

VERBS = ("demo", "fit", "watch", "pause", "unpause", "stop", "evaluate", "predict", "compare",
         "study", "runs", "lab", "doctor")  # fmt: skip


def test_help_starts_without_the_heavy_packages():
    code = (
        "import sys; sys.argv = ['workbench', '--help']\n"
        "from workbench.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "numpy", "pandas", "xarray", "matplotlib", "rasterio"}
    assert heavy.isdisjoint(result.stdout.split())
    assert all(verb in result.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb):
    shown = run(verb, "--help")
    assert "Examples:" in shown
    assert f"workbench {verb}" in shown.split("Examples:")[1]


def test_help_of_fit_carries_the_advice_and_defaults_of_the_option_fields():
    shown = " ".join(run("fit", "--help").split())
    assert f"(default: {wb.Recipe().backbone})" in shown
    assert (
        f"--peft-option rank={wb.LoRA().rank}: {wb.LoRA.model_fields['rank'].description}" in shown
    )


def test_options_that_were_not_given_keep_the_defaults_of_the_api():
    assert make_recipe(None, None, {}) == wb.Recipe()


def test_peft_options_are_read_as_numbers_names_and_lists():
    recipe = make_recipe("lora", ["rank=8", "dropout=0.1", "targets=q,v"], {"epochs": 3})
    assert recipe == wb.Recipe(peft=wb.LoRA(rank=8, dropout=0.1, targets=("q", "v")), epochs=3)
    assert make_recipe("lora", ["targets=q"], {}).peft == wb.LoRA(targets=("q",))


def test_peft_options_alone_belong_to_the_default_method():
    assert make_recipe(None, ["rank=4"], {}).peft == wb.LoRA(rank=4)


@pytest.mark.parametrize("verb", ["fit", "estimate"])
def test_every_field_of_the_recipe_is_an_option_or_listed_for_set(verb):
    shown = " ".join(run(verb, "--help").split())
    for name in wb.Recipe.model_fields:
        assert f"--{name.replace('_', '-')}" in shown or f"--set {name}=" in shown, name
    assert "--set gradient_checkpointing=false: " in shown


def test_any_other_field_of_the_recipe_is_set_by_its_name():
    assert assignments("--set", ["augment=false", "patience=2", "bands=RED,BLUE"]) == {
        "augment": False, "patience": 2, "bands": ["RED", "BLUE"],
    }  # fmt: skip


def test_what_is_not_an_assignment_is_refused():
    with pytest.raises(RecipeError, match="'rank' is not NAME=VALUE"):
        make_recipe("lora", ["rank"], {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "nowhere"), "no run folder nowhere"),
        (("fit", "--images", "scenes"), "all of --images, --masks and --bands"),
        (("fit", "--data", "simulated-flods"), "Did you mean 'simulated-floods'?"),
    ],
)
def test_errors_are_one_paragraph_without_a_traceback(
    monkeypatch, capsys, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_DEBUG", raising=False)
    assert fails(monkeypatch, *arguments) == 1
    shown = capsys.readouterr().err
    assert message in " ".join(shown.split())
    assert shown.startswith("workbench: ")
    assert "Traceback" not in shown


@pytest.mark.parametrize("verb", ["fit", "estimate", "study"])
@pytest.mark.parametrize(("options", "message"), [
    (("--epochs", "0"), "epochs=0 is below 1"),
    (("--epochs", "0", "--baselines"), "epochs=0 is below 1"),
    (("--peft", "lorra"), "Did you mean 'lora'"),
    (("--peft-option", "rang=8"), "did you mean 'rank'"),
    (("--set", "patiense=3"), "did you mean 'patience'"),
])  # fmt: skip
def test_a_wrong_recipe_is_refused_before_data_are_opened(verb, options, message, monkeypatch):
    monkeypatch.setattr(wb, "load", lambda *_, **__: pytest.fail("data were opened"))
    with pytest.raises(wb.errors.WorkbenchError, match=message):
        run(verb, *options)


def test_a_study_of_a_method_that_is_none_is_refused_before_data_are_opened(monkeypatch):
    monkeypatch.setattr(wb, "load", lambda *_, **__: pytest.fail("data were opened"))
    with pytest.raises(wb.errors.WorkbenchError, match="Did you mean 'lora'"):
        run("study", "--methods", "full,lorra")


def test_one_name_for_several_baselines_is_refused():
    with pytest.raises(RecipeError, match="--name lora names one run, and --baselines trains"):
        run("fit", "--baselines", "--name", "lora")


def test_traceback_is_shown_on_request(monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEBUG", "")
    monkeypatch.setattr(sys, "argv", ["workbench", "--traceback", "evaluate", "nowhere"])
    with pytest.raises(wb.errors.RunError):
        cli.main()


def test_a_mistyped_verb_is_answered_with_the_nearest():
    result = subprocess.run(
        [sys.executable, "-m", "workbench", "evalute"], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "evaluate" in result.stderr


def test_it_says_its_version():
    assert run("--version") == f"workbench {wb.__version__}\n"
