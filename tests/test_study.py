"""Studies: asked for, worked off, interrupted, grown, compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import workbench as wb
from workbench.data import Dataset, Split
from workbench.errors import RecipeError, RunError, TrainingError
from workbench.fitting import queue
from workbench.fitting.studyviews import Unseen
from workbench.runs import RunList
from workbench.runs.lock import writing
from workbench.runs.pruning import prune

NEVER = wb.SpectralIndex(threshold=1.0)
NDWI = wb.SpectralIndex(threshold=0.0)
TINY = wb.Recipe(decoder="linear", epochs=1, batch_size=8, feature_cache="off")


@pytest.fixture(scope="module")
def split(tiny_floods: Dataset) -> Split:
    return tiny_floods.split(hold_out=["bolivia"])


def indices(split: Split | list[Split], root: Path, **options) -> wb.Study:
    """A study of two water indices, which takes an instant."""
    options = {"name": "water", **options}
    return wb.study({"NDWI": NDWI, "never": NEVER}, split, root=root, device="cpu", show=False,
                    **options)


@pytest.fixture(scope="module")
def trained(split: Split, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    """Two networks and an index, two learning rates, two seeds."""
    recipes = {"probe": TINY.but(peft="linear_probe"), "biases": TINY.but(peft="bitfit"),
               "NDWI": NDWI}
    return wb.study(recipes, split, seeds=2, learning_rates=2, name="networks", device="cpu",
                    root=tmp_path_factory.mktemp("studies"), show=False)


def test_every_method_gets_the_same_search_on_validation_and_only_what_won_is_scored(trained):
    for method in ("probe", "biases"):
        trials, finals = trained.trials(method, "bolivia"), trained.finals(method, "bolivia")
        assert len(trials) == len(finals) == 2
        losses = {cell: min(event.val_loss for event in trained.run(cell).events()
                            if event.kind == "epoch_done") for cell in trials}
        assert finals[0] == min(losses, key=losses.get)
        assert {cell.learning_rate for cell in finals} == {finals[0].learning_rate}
        assert [cell.seed for cell in finals] == [0, 1]
        (lost,) = set(trials) - set(finals)
        assert not trained.run(lost).scores()
    assert trained.size() == 2 * 3 + 1
    assert len(trained.runs) == 5
    assert all(run.scores() for run in trained.runs)


def test_the_best_checkpoint_of_what_won_is_all_that_is_kept(trained):
    finals = {cell.name for method in trained.methods for cell in trained.finals(method, "bolivia")}
    for folder in (trained.folder / "runs").iterdir():
        kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
        assert kept == (["best"] if folder.name in finals else [])


def test_the_comparison_reads_a_study_and_pools_the_seeds_of_each_method(trained):
    comparison = wb.compare(trained)
    assert comparison.runs == ["probe", "biases", "NDWI"]
    assert comparison.gap()["seeds"].tolist() == [2, 2, 1]
    assert comparison.costs().set_index("run")["train_s"].notna().tolist() == [True, True, False]
    assert comparison.entries[0].runs[0].name.startswith("probe-bolivia")
    assert "biases (baseline)" not in repr(comparison)


def test_a_study_says_how_far_it_is(trained):
    shown = repr(trained)
    assert "3 methods × 1 split × 2 seeds; 2 learning rates tried" in shown
    assert "7 of 7 trainings done" in shown
    assert "2 of 2 seeds · lr" in shown
    assert "left" not in shown.split("trainings done")[1].split("folder")[0]
    assert "7 of 7" in trained._repr_html_()


def test_the_same_call_again_finds_everything_done(trained, split, monkeypatch):
    monkeypatch.setattr(queue, "work", None)
    monkeypatch.setattr(queue, "evaluate", None)
    again = wb.open_study(trained.folder)
    assert repr(again) == repr(trained)
    wb.study(trained.recipes, split, seeds=2, learning_rates=2, name="networks", device="cpu",
             root=trained.folder.parent, show=False)


def test_what_a_kill_left_is_gone_on_with(split, tmp_path):
    code = (
        "import os, sys, workbench as wb\n"
        "from workbench.fitting import queue\n"
        "from workbench.runs import Run, open_run\n"
        "def killed(*args, **kwargs): os.kill(os.getpid(), 9)\n"
        "queue.evaluate = killed\n"
        "split = open_run(sys.argv[1]).split\n"
        "wb.study({'NDWI': wb.SpectralIndex(), 'never': wb.SpectralIndex(threshold=1.0)}, split,\n"
        "         name='water', root=sys.argv[2], device='cpu', show=False)\n"
    )
    run = wb.fit(NDWI, split, root=tmp_path, name="any", device="cpu", show=False)
    process = subprocess.run([sys.executable, "-c", code, str(run.folder), str(tmp_path)],
                             env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert process.returncode == -9
    study = wb.open_study(tmp_path / "water")
    assert not study.runs
    study = indices(split, tmp_path)
    assert [run.state for run in study.runs] == ["finished"] * 2


def test_what_fails_is_told_and_stops_nothing_else(split, tmp_path, monkeypatch):
    work = queue.work

    def failing(run, **options):
        if run.recipe == NEVER:
            raise TrainingError("The loss is not finite.")
        return work(run, **options)

    monkeypatch.setattr(queue, "work", failing)
    bad = TINY.but(bands=["RED", "COASTAL_AEROSOL"])
    study = wb.study({"bad": bad, "NDWI": NDWI}, split, seeds=2, learning_rates=2, name="some",
                     root=tmp_path, device="cpu", show=False)
    assert [run.name for run in study.runs] == ["ndwi-bolivia-seed0"]
    assert "0 of 2 learning rates · 2 failed" in repr(study)
    assert "has no band COASTAL_AEROSOL" in repr(study)
    comparison = wb.compare(study)
    assert comparison.runs == ["NDWI"]
    assert comparison.left_out == {"bad": "nothing of it is trained and scored"}


def test_a_cell_that_another_process_trains_is_left_to_it(split, tmp_path, monkeypatch):
    study = indices(split, tmp_path, plan=True)
    (cell,) = study.trials("NDWI", "bolivia")
    lock = queue.Queue(study, "cpu", None)._lock(cell)  # as another process would hold it
    waited = []

    def other(seconds):
        waited.append(study.state(study.trials("never", "bolivia")[0]))
        lock.release()

    monkeypatch.setattr(queue.time, "sleep", other)
    done = indices(split, tmp_path)
    assert waited == ["finished"]  # everything else first
    assert len(done.runs) == 2


def test_who_has_the_rest_is_said_once(split, tmp_path, monkeypatch):
    study = indices(split, tmp_path, plan=True)
    said = []

    class View:
        def update(self, now, event=None):
            pass

        def say(self, line):
            said.append(line)

    (cell,) = study.trials("NDWI", "bolivia")
    lock = queue.Queue(study, "cpu", View())._lock(cell)  # as another process would hold it
    waits = iter([None, None, lock.release])
    monkeypatch.setattr(queue.time, "sleep", lambda seconds: (next(waits) or (lambda: None))())
    queue.Queue(study, "cpu", View()).work_off()
    waited = [line for line in said if "waiting" in line]
    assert waited == [f"waiting for process {os.getpid()}, which has {cell}"]


def test_what_another_process_does_in_an_instant_is_not_done_again_nor_called_failed(
        split, tmp_path, monkeypatch):
    study = indices(split, tmp_path)
    fresh = queue.Queue(study, "cpu", Unseen())
    monkeypatch.setattr(queue, "work", None)
    monkeypatch.setattr(queue, "evaluate", None)
    monkeypatch.setattr(Unseen, "say", lambda self, line: pytest.fail(line))
    for cell in study.cells():  # as it stood when this process looked
        fresh._do("train", cell)
        fresh._do("score", cell)
    monkeypatch.setattr(wb.Study, "run", lambda self, cell: None)
    for cell in study.cells():
        fresh._do("train", cell)


@pytest.mark.slow
def test_two_processes_share_a_study_train_nothing_twice_and_lose_nothing(split, tmp_path):
    run = wb.fit(NDWI, split, root=tmp_path, name="any", device="cpu", show=False)
    code = (
        "import sys, workbench as wb\n"
        "split = wb.open_run(sys.argv[1]).split\n"
        "recipes = {name: wb.SpectralIndex(threshold=float(name)) for name in sys.argv[3:]}\n"
        "study = wb.study(recipes, split, name='water', root=sys.argv[2], device='cpu',\n"
        "                 show=True)\n"
        "print(sorted(wb.compare(study).runs))\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(run.folder), str(tmp_path), *thresholds],
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for thresholds in (["-0.4", "-0.2", "0.0", "0.2"], ["0.0", "0.2", "0.4", "0.6"])
    ]
    told = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    study = wb.open_study(tmp_path / "water")
    assert sorted(study.methods) == ["-0.2", "-0.4", "0.0", "0.2", "0.4", "0.6"]
    assert len(study.runs) == 6
    assert all([event.kind for event in found.events()].count("run_started") == 1
               for found in study.runs)
    trained = [line.partition(" · ")[0] for _, lines in told for line in lines.splitlines()
               if line.startswith("trained: ")]
    assert len(trained) == len(set(trained)) == 6
    assert not [line for _, lines in told for line in lines.splitlines() if "failed" in line]
    for (shown, _), asked in zip(told, ("-0.4", "0.6"), strict=True):
        assert asked in shown


def test_leave_one_region_out_scores_every_region_where_it_was_not_trained(tiny_floods, tmp_path):
    splits = tiny_floods.split().leave_one_region_out()
    study = indices(splits, tmp_path)
    assert study.split_names == ["bolivia", "ghana", "spain"]
    comparison = wb.compare(study)
    table = comparison.table()
    held_out = table[(table["part"] == "held out") & (table["region"] != "held out")]
    assert sorted(held_out["region"].unique()) == ["bolivia", "ghana", "spain"]
    assert held_out["chips"].tolist() == [8] * 6
    chips = comparison.chips()
    assert set(chips.loc[chips["part"] == "held out"].index) == set(tiny_floods)
    said = " ".join(comparison.verdicts())
    assert "Spain (held out)" in said


def test_a_study_grows_but_does_not_change(split, tmp_path, tiny_floods):
    indices(split, tmp_path)
    grown = wb.study({"always": wb.SpectralIndex(threshold=-1.0)}, split, name="water",
                     root=tmp_path, device="cpu", show=False)
    assert grown.methods == ["NDWI", "never", "always"]
    assert len(grown.runs) == 3
    with pytest.raises(RunError, match="begun with another recipe 'NDWI'"):
        wb.study({"NDWI": NEVER}, split, name="water", root=tmp_path, device="cpu", show=False)
    other = tiny_floods.split(hold_out=["bolivia"], seed=5, fractions=(0.4, 0.3, 0.3))
    with pytest.raises(RunError, match=r"another split 'bolivia'.*another name="):
        indices(other, tmp_path)
    with pytest.raises(RunError, match="learning_rates=3"):
        indices(split, tmp_path, learning_rates=2)


def test_a_plan_says_what_it_will_take_and_trains_nothing(split, tmp_path):
    study = wb.study({"NDWI": NDWI}, split, name="plan", root=tmp_path, device="cpu", plan=True,
                     show=False)
    assert not (study.folder / "runs").exists()
    (study.folder / "estimate.json").write_text(json.dumps(
        {"NDWI": {"seconds": 90, "checkpoint_bytes": 2_000_000}}))
    assert "0 of 1 trainings done · about 1 min 30 s left" in repr(study)
    assert "about 6.0 MB of checkpoints at the end" in repr(study)


def test_what_is_trained_and_not_chosen_yet_says_so_and_indices_have_no_learning_rates(
        split, tmp_path):
    study = indices(split, tmp_path)
    assert "learning rates" not in repr(study)
    (study.folder / "chosen" / "ndwi-bolivia.json").unlink()
    assert "NDWI    trained" in repr(wb.open_study(study.folder))
    assert "never   done" in repr(study)


@pytest.mark.parametrize(("options", "said"), [
    ({"seeds": 0}, "seeds=0"), ({"seeds": [1, 1]}, r"seeds=\[1, 1\]"),
    ({"learning_rates": 0}, "learning_rates=0"),
])
def test_numbers_that_make_no_sense_are_refused(split, tmp_path, options, said):
    with pytest.raises(RecipeError, match=said):
        indices(split, tmp_path, **options)


def test_a_name_is_a_plain_one_and_a_folder_without_a_study_is_refused(split, tmp_path):
    with pytest.raises(RunError, match="not a plain folder name"):
        indices(split, tmp_path, name="a/b")
    with pytest.raises(RunError, match="is not a study"):
        wb.open_study(tmp_path)


def test_pruning_leaves_the_best_checkpoint_and_runs_that_somebody_writes(split, tmp_path):
    run = wb.fit(NDWI, split, root=tmp_path, name="ndwi", device="cpu", show=False)
    with writing(run.folder):
        assert prune(run) == 0
    freed = RunList([run]).prune()
    assert freed > 0
    assert [path.name for path in (run.folder / "checkpoints").iterdir()] == ["best"]
    assert wb.evaluate(run, device="cpu").in_region.value > 0.5
    assert RunList([run]).prune() == 0
