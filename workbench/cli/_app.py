"""What the verbs share: the app, options that several take, and how they show what they do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench import __version__
from workbench.reprs import text_table

if TYPE_CHECKING:
    import pandas as pd

    from workbench.runs import Run

app = typer.Typer(
    no_args_is_help=True,
    # What we raise on purpose is one paragraph (see `main`); a bug shows a plain traceback.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Root = Annotated[Path, typer.Option(help="Folder of the run folders.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder, such as runs/lora.")]


def examples(*lines: str) -> str:
    """Return an epilog that help shows line by line."""
    return "\n\n".join(("Examples:", *lines))


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"workbench {__version__}")
        raise typer.Exit


@app.callback()
def workbench(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which it is."),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Show where an error arose (also WORKBENCH_DEBUG=1)."),
    ] = False,
) -> None:
    """Fine-tune geospatial foundation models with few parameters, and see where they hold up."""
    if traceback:
        os.environ["WORKBENCH_DEBUG"] = "1"


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on a terminal; call what it yields with done and total."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def tell(run: Run) -> None:
    """Print what is worth knowing about a run, a line each."""
    print(text_table(("run", run.name), run.facts().items()))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path)
    print(f"wrote {path}")
