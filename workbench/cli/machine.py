"""workbench lab and doctor: Jupyter, and what the machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import workbench as wb
from workbench.cli._app import app, examples


@app.command(epilog=examples("workbench lab", "workbench lab --no-browser --port 8890"))
def lab(
    folder: Annotated[Path, typer.Argument(help="What JupyterLab shows.")] = Path("."),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[int | None, typer.Option(help="Where to listen on 127.0.0.1.")] = None,
) -> None:
    """Open JupyterLab on a copy of the notebooks, reachable from this machine only."""
    from workbench.lab import open_lab

    raise typer.Exit(open_lab(folder, browser=browser, port=port))


@app.command(epilog=examples("workbench doctor"))
def doctor() -> None:
    """Check Python, packages, accelerator, disk, hub and Jupyter, and say what to do."""
    checkup = wb.doctor()
    print(checkup)
    raise typer.Exit(1 if checkup.problems else 0)
