"""workbench evaluate, compare and runs: what looks at what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import workbench as wb
from workbench.cli._app import Device, Root, RunFolder, app, examples, progress_bar, write_csv

By = Annotated[
    str, typer.Option(help="What the rows are: region, month, class, part, a column of the chips.")
]
Csv = Annotated[Path | None, typer.Option(help="Also write the table to this file.")]


@app.command(
    epilog=examples(
        "workbench evaluate runs/lora", "workbench evaluate runs/lora --by cluster --csv scores.csv"
    )
)
def evaluate(run: RunFolder, by: By = "region", csv: Csv = None, device: Device = "auto") -> None:
    """Score a run's best checkpoint on its test and held-out chips, with intervals."""
    from workbench.evaluation.tables import formatted

    with progress_bar("scoring") as progress:
        scores = wb.evaluate(wb.open_run(run), device=device, progress=progress)
    table = scores.table(by=by)
    print(scores if by == "region" else formatted(table).to_string(index=False))
    if csv:
        write_csv(table, csv)


@app.command(
    epilog=examples("workbench compare", "workbench compare runs/lora runs/full --beside paper",
                    "workbench compare --by catchments.gpkg --exact",
                    "workbench compare studies/floods --latex floods.tex")
)
def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or one study; all runs of the root if not given."),
    ] = None,
    by: Annotated[
        str, typer.Option(help="What the rows are: region, month, class, part, a column of the "
                               "chips, or a file of polygons.")
    ] = "region",
    exact: Annotated[
        bool, typer.Option("--exact", help="Cut chips at the borders of the polygons.")
    ] = False,
    beside: Annotated[
        str | None, typer.Option(help="Lay a published table beside: paper, paper:burn_scars.")
    ] = None,
    csv: Csv = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write it as Markdown to this file.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option(help="Also write it as LaTeX tables to this file.")
    ] = None,
    root: Root = Path("runs"),
) -> None:
    """Compare runs or a study's methods, with intervals; nothing is called better unless it is."""
    from workbench.runs.studies import is_study
    from workbench.storage import write_text

    if runs and len(runs) == 1 and is_study(runs[0]):
        comparison = wb.compare(wb.open_study(runs[0]), by=by, exact=exact, beside=beside)
    else:
        opened = [wb.open_run(run) for run in runs] if runs else list(wb.list_runs(root))
        comparison = wb.compare(opened, by=by, exact=exact, beside=beside)
    print(comparison)
    if csv:
        write_csv(comparison.table(), csv)
    for path, text in ((markdown, comparison.to_markdown), (latex, comparison.to_latex)):
        if path:
            write_text(path, text())
            print(f"wrote {path}")


@app.command(epilog=examples("workbench runs", "workbench runs --root elsewhere/runs",
                             "workbench runs --prune"))
def runs(
    root: Root = Path("runs"),
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete what finished runs need no more; the best "
                     "checkpoint of each stays."),
    ] = False,
) -> None:
    """List the runs of a folder: state, scores, parameters, memory, time."""
    from workbench.reprs import readable_bytes

    found = wb.list_runs(root)
    if prune:
        print(f"freed {readable_bytes(found.prune())}")
    print(found)
