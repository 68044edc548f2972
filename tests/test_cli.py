"""The command line: the verbs of the API, from data to maps."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import rasterio

import workbench as wb
from tests.terminal import fails, run
from workbench.cli.predicting import _Overall
from workbench.errors import DataError
from workbench.prediction import scene as scene_module
from workbench.runs import control
from workbench.runs.lock import writing

BANDS = "BLUE,GREEN,RED,NIR_NARROW,SWIR_1,SWIR_2"


def test_doctor_ends_well_where_there_is_no_problem():
    assert run("doctor").rstrip().splitlines()[-1].startswith("no problems")


def test_no_runs_are_said_to_be_none(tmp_path):
    assert run("runs", "--root", str(tmp_path)).strip() == "no runs"


@pytest.fixture(scope="module")
def two_runs(tiny_folder, tmp_path_factory):
    """A folder with a linear probe and the baselines, trained for an epoch by the command."""
    root = tmp_path_factory.mktemp("cli") / "runs"
    data = (
        "fit", "--images", str(tiny_folder / "*_S2.tif"),
        "--masks", str(tiny_folder / "*_label.tif"),
        "--bands", BANDS, "--classes", "land,water",
        "--region", "{region}_{number}_S2", "--scale", "1e-4", "--hold-out", "bolivia",
        "--root", str(root), "--epochs", "1",
    )  # fmt: skip
    shown = run(*data, "--peft", "linear_probe", "--decoder", "linear", "--name", "probe")
    run(*data, "--baselines")
    return root, shown


def test_fit_says_how_the_chips_were_split_and_what_came_of_it(two_runs):
    _, shown = two_runs
    assert "held out 8 (Bolivia) · 0 overlaps" in shown
    assert re.search(r"^run +probe$", shown, re.M)
    assert re.search(r"^state +finished$", shown, re.M)


def test_a_log_file_gets_a_line_an_epoch(two_runs):
    assert "probe: epoch 1/1 · loss" in two_runs[1]


def test_runs_lists_the_run_and_every_baseline(two_runs):
    shown = run("runs", "--root", str(two_runs[0]))
    assert "probe" in shown
    assert all(name in shown for name in ("ndwi-0", "ndwi-tuned", "mndwi-0", "unet-scratch"))


def test_evaluate_prints_the_scores_per_region_and_writes_them(two_runs, tmp_path):
    table = tmp_path / "scores.csv"
    shown = run("evaluate", str(two_runs[0] / "probe"), "--csv", str(table))
    assert "bolivia" in shown
    assert "bolivia" in table.read_text()


def test_compare_takes_all_runs_of_the_folder(two_runs):
    shown = run("compare", "--root", str(two_runs[0]))
    assert "probe" in shown
    assert "ndwi-tuned" in shown


def test_compare_cuts_chips_by_a_file_of_polygons(two_runs, tmp_path):
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps({
        "type": "Feature", "properties": {"name": "Altiplano"},
        "geometry": {"type": "Polygon", "coordinates": [
            [[-70, -20], [-60, -20], [-60, -10], [-70, -10], [-70, -20]]]}}))
    shown = run("compare", "--root", str(two_runs[0]), "--by", str(areas), "--exact")
    assert "Altiplano" in shown
    assert "0 of " in shown
    with pytest.raises(DataError, match="Pass polygons"):
        run("compare", "--root", str(two_runs[0]), "--exact")


def test_a_comparison_is_written_as_markdown_and_latex_beside_the_paper(two_runs, tmp_path):
    files = tmp_path / "table.md", tmp_path / "table.tex"
    shown = run("compare", "--root", str(two_runs[0]), "--beside", "paper:sen1floods11",
                "--markdown", str(files[0]), "--latex", str(files[1]))
    assert "Prithvi 2.0 300M" in shown
    assert "| probe |" in files[0].read_text()
    assert r"\toprule" in files[1].read_text()


def test_runs_are_pruned_and_say_what_that_freed(two_runs):
    assert run("runs", "--root", str(two_runs[0]), "--prune").startswith("freed ")
    assert "freed 0 B" in run("runs", "--root", str(two_runs[0]), "--prune")
    assert (two_runs[0] / "probe" / "checkpoints" / "best").is_dir()


def test_study_takes_methods_baselines_and_every_region_once(tiny_folder, tmp_path, monkeypatch):
    asked = {}

    def study(recipes, splits, **options):
        asked.update(recipes=recipes, splits=splits, **options)
        return "the study"

    monkeypatch.setattr(wb, "study", study)
    shown = run(
        "study", "--images", str(tiny_folder / "*_S2.tif"), "--masks",
        str(tiny_folder / "*_label.tif"), "--bands", BANDS, "--classes", "land,water",
        "--region", "{region}_{number}_S2", "--scale", "1e-4", "--leave-one-region-out",
        "--methods", "lora, full", "--peft", "lora", "--peft-option", "rank=4", "--baselines",
        "--epochs", "2", "--seeds", "2", "--root", str(tmp_path), "--plan",
    )  # fmt: skip
    assert "the study" in shown
    assert list(asked["recipes"])[:2] == ["lora", "full"]
    assert asked["recipes"]["lora"] == wb.Recipe(peft=wb.LoRA(rank=4), epochs=2)
    assert asked["recipes"]["full"] == wb.Recipe(peft="full", epochs=2)
    assert {"ndwi-0", "mndwi-tuned", "unet-scratch"} <= set(asked["recipes"])
    assert [split.hold_out for split in asked["splits"]] == [("bolivia",), ("ghana",), ("spain",)]
    assert (asked["seeds"], asked["learning_rates"], asked["plan"]) == (2, 3, True)


def test_predict_writes_a_raster_on_the_same_grid(two_runs, tiny_folder, tmp_path):
    scene, output = tiny_folder / "spain_0_S2.tif", tmp_path / "water.tif"
    assert f"wrote {output}" in run(
        "predict",
        str(two_runs[0] / "probe"),
        str(scene),
        "--output",
        str(output),
        "--bands",
        BANDS,
        "--probability",
    )
    with rasterio.open(scene) as image, rasterio.open(output) as water:
        assert (water.crs, water.transform, water.shape) == (
            image.crs,
            image.transform,
            image.shape,
        )
        assert set(np.unique(water.read(1))) <= {0, 1, 255}
    assert (tmp_path / "water_probability.tif").exists()


def test_a_place_that_nothing_can_be_written_to_is_refused_before_anything_is_predicted(
        two_runs, two_scenes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scene_module, "predicted", None)
    (tmp_path / "file").touch()
    assert fails(monkeypatch, "predict", str(two_runs[0] / "probe"), *two_scenes,
                 "--output", str(tmp_path / "file" / "maps")) == 1
    assert "file/maps (Not a directory). Give another place: --output" in " ".join(
        capsys.readouterr().err.split())


@pytest.fixture
def two_scenes(tiny_folder, tmp_path):
    """Two scenes whose bands are named."""
    paths = []
    for name in ("spain_0", "ghana_1"):
        paths.append(shutil.copy(tiny_folder / f"{name}_S2.tif", tmp_path / f"{name}.tif"))
        with rasterio.open(paths[-1], "r+") as file:
            file.descriptions = BANDS.split(",")
    return [str(path) for path in paths]


def test_several_runs_predict_several_scenes_and_what_is_there_is_left(
        two_runs, two_scenes, tmp_path, monkeypatch):
    folders = [str(two_runs[0] / name) for name in ("ndwi-tuned", "probe")]
    command = ("predict", *folders, *two_scenes, "--output", str(tmp_path / "maps"))
    names = ["ghana_1_ndwi-tuned.tif", "ghana_1_probe.tif", "spain_0_ndwi-tuned.tif",
             "spain_0_probe.tif"]
    assert run(*command).count("wrote ") == 4
    files = sorted((tmp_path / "maps").iterdir())
    assert [file.name for file in files] == names
    for file in files:
        scene, name = file.stem.rsplit("_", 1)
        alone = wb.predict(wb.open_run(two_runs[0] / name), tmp_path / f"{scene}.tif")
        with rasterio.open(file) as written:
            np.testing.assert_array_equal(written.read(1), alone["class"])
    asked = []
    predicted = scene_module.predicted
    monkeypatch.setattr(scene_module, "predicted", lambda job, *rest: (
        asked.append(job.source.name), predicted(job, *rest))[1])
    assert run(*command).count("is there already") == 4
    files[1].unlink()
    shown = run(*command)
    assert shown.count("is there already") == 2
    assert asked == [two_scenes[1]], "only what lacks a file is predicted again"
    run(*command, "--overlap", "4")
    assert len(asked) == 3, "other options are another prediction"
    with rasterio.open(two_scenes[0], "r+") as file:
        file.write(file.read() // 2)
    assert run(*command, "--overlap", "4").count("is there already") == 2
    assert asked[3:] == [two_scenes[0]], "the pixels have changed"


def test_what_cannot_be_predicted_is_said_before_anything_is(
        two_runs, two_scenes, tmp_path, monkeypatch):
    probe, output = str(two_runs[0] / "probe"), str(tmp_path / "maps")

    def refused(match: str, *arguments: str) -> None:
        with pytest.raises(wb.errors.WorkbenchError, match=match):
            run("predict", *arguments)

    refused("no run folder", "nowhere", two_scenes[0])
    refused("no scene among", probe)
    refused("not a run folder", probe, str(tmp_path), two_scenes[0])
    refused("is one file, and 1 × 2", probe, *two_scenes, "--output", "water.tif")
    (tmp_path / "other").mkdir()
    same = shutil.copy(two_scenes[0], tmp_path / "other" / "spain_0.tif")
    refused("Two predictions would be written to", probe, two_scenes[0], str(same))
    refused(r"nowhere\.tif", probe, two_scenes[0], str(tmp_path / "nowhere.tif"), "-o", output)
    assert not (tmp_path / "maps").exists()


def test_the_time_left_is_that_of_all_scenes():
    shown = []
    progress = _Overall(lambda *numbers: shown.append(numbers))
    progress.expect([10, 30])
    progress(10, 10)
    progress.next()
    progress(15, 30)
    assert shown == [(10, 40), (25, 40)]


def test_an_ended_run_is_watched_to_its_end_and_cannot_be_paused(two_runs, monkeypatch, capsys):
    folder = two_runs[0] / "probe"
    shown = run("watch", str(folder))
    assert "epoch 1/1" in shown
    assert re.search(r"^state +finished$", shown, re.M)
    assert fails(monkeypatch, "pause", str(folder)) == 1
    assert "cannot pause: it is finished" in " ".join(capsys.readouterr().err.split())


def test_a_training_elsewhere_is_steered_by_the_folder(two_runs):
    folder = two_runs[0] / "probe"
    with writing(folder):
        run("pause", str(folder))
        run("stop", str(folder), "--after-epoch")
        assert control.wishes(folder) == {"pause", "stop_after_epoch"}
        run("unpause", str(folder))
        run("stop", str(folder))
        assert control.wishes(folder) == {"stop", "stop_after_epoch"}


@pytest.mark.slow
def test_a_detached_training_is_watched_from_another_command(tiny_folder, tmp_path):
    shown = run(
        "fit", "--images", str(tiny_folder / "*_S2.tif"), "--masks",
        str(tiny_folder / "*_label.tif"), "--bands", BANDS, "--classes", "land,water",
        "--region", "{region}_{number}_S2", "--scale", "1e-4", "--root", str(tmp_path),
        "--epochs", "1", "--peft", "linear_probe", "--decoder", "linear", "--name", "probe",
        "--detach",
    )  # fmt: skip
    assert re.search(r"^state +starting$", shown, re.M)
    assert f"`workbench watch {tmp_path / 'probe'}` shows it" in shown
    assert re.search(r"^state +finished$", run("watch", str(tmp_path / "probe")), re.M)
