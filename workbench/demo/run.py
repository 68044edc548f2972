"""run_demo: the job, its report, and what to do next."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from workbench.data import Dataset
from workbench.demo import findings
from workbench.demo.job import WATER, Results, Stages, do_job
from workbench.demo.page import write_report
from workbench.demo.real import real as real_subject
from workbench.demo.report import make_report
from workbench.demo.simulated import simulated
from workbench.evaluation.tables import INTERVAL_NOTE

NUM_STAGES = 6
REPORT = "report.html"


def run_demo(folder: str | Path | None = None, *, real: bool = False, epochs: int | None = None,
             seed: int = 0, device: str = "auto", dataset: Dataset | None = None) -> Path:
    """Run the whole job: train, compare, predict, report.

    On simulated floods it needs no network. With `real` it takes Sen1Floods11's sample chip and
    the weights of Prithvi-EO-2.0-tiny-TL, which are downloaded once. Interrupted, it goes on where
    it stopped when it is called again with the same folder.

    Args:
        folder: Where run folders, prediction and report are written; made where it is missing.
            By default `workbench-demo`, or `workbench-demo-real`.
        real: Whether on real data.
        epochs: Epochs of every training; by default 4, on real data 20.
        seed: Of the simulated data and of every training.
        device: `auto`, `cpu`, `cuda`, `mps`.
        dataset: Other data with a region `bolivia` to hold out, instead of the simulated floods.

    Returns:
        The path of the report, one file that opens without any network.

    Raises:
        WorkbenchError: The folder holds something else, or a demo made differently.
        DownloadError: What real data need cannot be fetched.
        KeyboardInterrupt: Interrupted; what is done so far is kept.
    """
    subject = real_subject() if real else simulated(dataset, seed)
    folder = Path(folder or subject.folder)
    console = Console(highlight=False)
    stages = Stages(console, NUM_STAGES)
    console.print(f"{subject.words.minutes} Ctrl-C stops; the same command goes on.\n",
                  style="dim")
    try:
        results = do_job(folder, stages, subject, epochs=epochs or subject.epochs, seed=seed,
                         device=device)
        with stages.stage("Report"):
            path = folder / REPORT
            write_report(make_report(results), path)
    except KeyboardInterrupt:
        console.print(f"\nStopped. The same command goes on where it stopped: {folder} keeps what "
                      "is done.")
        raise
    _tell(console, results, path)
    return path


def _tell(console: Console, results: Results, report: Path) -> None:
    console.print()
    console.print(_table(results))
    asked, _ = findings.pairs(results.comparison)
    for sentence in findings.sentences(results.comparison, asked):
        console.print(Padding(f"· {sentence}", (0, 2), expand=False), markup=False)
    console.print()
    for what, path in (("report", report), ("prediction", results.folder / WATER),
                       ("run folders", results.folder / "runs")):
        console.print(f"  {what:<12} {path}", markup=False, soft_wrap=True)
    console.print("\n  The report opens in any browser, without a network. "
                  "[bold]workbench lab[/bold] opens the notebooks.")


def _table(results: Results) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold",
                  title="mIoU in percent with 95 % intervals, "
                        f"{results.subject.words.kind}",
                  caption=escape(INTERVAL_NOTE), caption_justify="left")
    for column in ("run", "in region", "held out", "gap"):
        table.add_column(column, justify="left" if column == "run" else "right", no_wrap=True)
    for entry in results.comparison.entries:
        table.add_row(
            findings.label(entry.name), f"{entry.pooled('test')}", f"{entry.pooled('held_out')}",
            f"{entry.gap}", style="dim" if entry.first.baseline else "")
    return table
