"""From results to the page: every figure, number and sentence of the report."""

from __future__ import annotations

import datetime

import numpy as np

from workbench import __version__
from workbench.demo import findings
from workbench.demo.code import snippets
from workbench.demo.findings import label, parameters
from workbench.demo.job import WATER, Results
from workbench.demo.page import Report, Row, SceneView, StripRow, Tile
from workbench.demo.scene import SCENE
from workbench.evaluation import Estimate
from workbench.events import RunStarted
from workbench.metrics import confusion, miou
from workbench.plots import PLOTS, chips
from workbench.plots import map as map_plot
from workbench.recipe import Recipe
from workbench.reporting.page import (
    Entry,
    Figure,
    Score,
    entries,
    figure,
    photo_address,
    png_address,
)
from workbench.reprs import readable_bytes, readable_duration, readable_percent
from workbench.runs import Run

NARROW = 3.9  # inches; on a phone 9-point text then stays readable


def make_report(results: Results) -> Report:
    """Put the results on a page; nothing is claimed that an interval does not support."""
    comparison, split = results.comparison, results.split
    place, words = results.subject.place, results.subject.words
    epochs = next(iter(results.runs.values())).recipe.epochs  # type: ignore[union-attr]
    shown = {**results.tuned, "unet-scratch": results.runs["unet-scratch"]}
    table = chips.data(list(shown.values()), count=6)
    asked, others = findings.pairs(comparison)
    return Report(
        title=f"workbench demo: floods in {place}",
        version=__version__,
        made=f"{datetime.date.today():%-d %B %Y}",
        headline=findings.headline(comparison, place),
        kind=words.kind,
        lead=[*findings.lead(comparison, place, epochs), *filter(None, [words.caution])],
        tiles=_tiles(results, place),
        split_line=f"{split!r}. {_audit(results)}",
        world=_world(results, place),
        held_out_name=place,
        rows=_rows(results),
        verdicts=findings.sentences(comparison, asked),
        more_verdicts=findings.sentences(comparison, others),
        regions=_regions(results),
        strip_titles=["image", "label", *map(label, table.runs)],
        strips=_strips(table),
        legend=entries(chips.legend(table)),
        scene=_scene(results),
        curves=_curves(results),
        scene_title=words.scene_title,
        origin=words.origin,
        code=snippets(results.subject, epochs),
        folder=results.folder.name,
        footer=f"Made by workbench {__version__} from the run folders beside it; the same folder "
               "gives the same page.",
    )


def _audit(results: Results) -> str:
    bad = [finding for finding in results.audit.findings if finding.level in ("warning", "error")]
    if not bad:
        return f"The audit found nothing wrong in {len(results.audit.findings)} checks."
    return "The audit warns: " + "; ".join(finding.what for finding in bad) + "."


def _tiles(results: Results, place: str) -> list[Tile]:
    entry = next(entry for entry in results.comparison.entries if entry.name == "lora")
    run, full = results.runs["lora"], results.runs["full"]
    inside, outside = entry.pooled("test").value, entry.pooled("held_out").value
    started = _started(run)
    share = started.trainable_parameters / started.total_parameters
    return [
        Tile(f"{100 * inside:.1f} → {100 * outside:.1f}",
             f"mIoU of LoRA, training regions → {place}"),
        Tile(f"{100 * share:.0f} %", "of the weights trained by LoRA, decoder included"),
        Tile(readable_bytes(saved_bytes(run)),
             f"saved for LoRA; full fine-tuning saves {readable_bytes(saved_bytes(full))}"),
        Tile(readable_duration(sum(run.duration_s() or 0 for run in results.runs.values())),
             f"to train all {len(results.runs)} on {_started(run).device.upper()}"),
    ]


def _started(run: Run) -> RunStarted:
    return next(event for event in run.events() if isinstance(event, RunStarted))


def saved_bytes(run: Run) -> int:
    """Return the size of what prediction needs of a run: adapter and decoder."""
    weights = run.checkpoint("best").glob("*.safetensors")
    return sum(path.stat().st_size for path in weights if path.stem != "optimizer")


def _rows(results: Results) -> list[Row]:
    rows: list[Row] = []
    for entry in results.comparison.entries:
        run = results.runs[entry.name]
        baseline = entry.first.baseline
        place = sum(row.baseline == baseline for row in rows)
        learned = isinstance(run.recipe, Recipe)
        rows.append(Row(
            name=label(entry.name), baseline=baseline, first_baseline=baseline and place == 0,
            colour=f"baseline-{place % 3}" if baseline else f"run-{place % 6}",
            in_region=_score(entry.pooled("test")), held_out=_score(entry.pooled("held_out")),
            gap=_score(entry.gap),
            parameters=parameters(_started(run).trainable_parameters,
                                  _started(run).total_parameters) if learned else "–",
            size=readable_bytes(saved_bytes(run)) if learned else "–",
            time=readable_duration(run.duration_s()) if learned else "–",
        ))
    return rows


def _score(value: Estimate) -> Score:
    number, _, interval = f"{value}".partition(" ")
    return Score(number, interval)


def _world(results: Results, place: str) -> Figure:
    plot = PLOTS["world"]
    return figure(
        plot, plot.data(results.split), narrow=(NARROW, 2.3),
        alt=f"Map of the world with the regions; {place} is marked as held out.",
        caption=f"{place[0].upper()}{place[1:]} is held out: no weight, no threshold and no choice "
                "of a checkpoint has used it. Its chips were scored once, at the end.",
    )


def _regions(results: Results) -> Figure:
    plot = PLOTS["regions"]
    table = plot.data(results.comparison)
    table = table.assign(run=table["run"].map(label))
    height = 2.2 + 0.075 * table["run"].nunique() * table["region"].nunique()
    return figure(
        plot, table, narrow=(NARROW, height),
        alt="Mean IoU of every run, in region and held out, and region by region, with intervals.",
        caption=f"Bars are 95 % intervals: {results.subject.words.intervals}",
    )


def _curves(results: Results) -> Figure:
    plot = PLOTS["curves"]
    trained = {label(name): run.events() for name, run in results.runs.items()
               if isinstance(run.recipe, Recipe)}
    return figure(
        plot, plot.data(trained), narrow=(NARROW, 6.4),
        alt="Loss, validation mIoU, learning rate and memory over the epochs.",
        caption="The checkpoint with the lowest validation loss is used. Validation chips come "
                "from training regions only.",
    )


def _strips(table: chips.ChipTable) -> list[StripRow]:
    return [
        StripRow(strip.region, strip.date or "", strip.held_out, [
            photo_address(strip.picture),
            *(png_address(picture) for picture in chips.pictures(strip, table.colours)[1:]),
        ])
        for strip in table.strips
    ]  # fmt: skip


def _scene(results: Results) -> SceneView:
    words = results.subject.words
    table = map_plot.data(results.prediction, scene=results.folder / SCENE)
    (_, before), (_, after) = table.panels
    length = map_plot.round_length(table.metres / 4)
    predicted = results.prediction["class"].values
    seen = np.where(predicted == map_plot.NODATA, -1, results.label)
    score = miou(confusion(seen, np.where(seen < 0, 0, predicted), 2))
    return SceneView(
        intro=f"{words.scene}, predicted with LoRA in overlapping windows and written as a Cloud "
              f"Optimized GeoTIFF on the scene's own grid: {WATER}.",
        caption=words.scene_caution.format(score=readable_percent(float(score))),
        before=photo_address(before), after=png_address(after),
        # A tall scene is not to fill more than a screen.
        width_px=round(720 * min(1, before.shape[1] / before.shape[0])),
        scale_percent=round(100 * length / table.metres, 2),
        scale_text=f"{length / 1000:g} km", place=table.place,
        legend=[Entry(name, colour) for name, colour in table.entries],
    )
