"""workbench watch, pause, unpause and stop: a training that goes on elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

import workbench as wb
from workbench.cli._app import RunFolder, app, examples, tell


@app.command(epilog=examples("workbench fit --detach --name lora", "workbench watch runs/lora"))
def watch(run: RunFolder) -> None:
    """Show a run, live or ended, whoever trains it; Ctrl-C leaves, and the training goes on."""
    from workbench.fitting.waiting import follow

    opened = wb.open_run(run)
    try:
        follow(opened, show=True)
    except KeyboardInterrupt:
        print(f"{opened.name} goes on; `workbench stop {run}` ends it")
        return
    tell(opened)


@app.command(epilog=examples("workbench pause runs/lora"))
def pause(run: RunFolder) -> None:
    """Let a training wait after the step under way, with a checkpoint written."""
    wb.open_run(run).pause()


@app.command(epilog=examples("workbench unpause runs/lora"))
def unpause(run: RunFolder) -> None:
    """Let a paused training go on."""
    wb.open_run(run).unpause()


@app.command(epilog=examples("workbench stop runs/lora", "workbench stop runs/lora --after-epoch"))
def stop(
    run: RunFolder,
    after_epoch: Annotated[
        bool, typer.Option("--after-epoch", help="After the epoch instead of the step under way.")
    ] = False,
) -> None:
    """End a training, with a checkpoint written; `workbench fit --resume` goes on with it."""
    wb.open_run(run).stop(after_epoch=after_epoch)
