"""The verbs of the workbench in a terminal; names and defaults are those of the Python API."""

from __future__ import annotations

import os
import sys
import textwrap
import warnings

from workbench.cli._app import app
from workbench.errors import WorkbenchError

# Each registers its commands; help lists them in this order.
# isort: off
import workbench.cli.fitting
import workbench.cli.estimating
import workbench.cli.studying
import workbench.cli.steering
import workbench.cli.results
import workbench.cli.predicting
import workbench.cli.machine  # noqa: F401
# isort: on

__all__ = ["app", "main"]


def _show_warning(message: Warning | str, *_: object) -> None:
    print(textwrap.fill(f"note: {message}", 100), file=sys.stderr)


def main() -> None:
    """Run the command line; an error made on purpose is one paragraph and exit code 1."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except WorkbenchError as error:
        if os.environ.get("WORKBENCH_DEBUG"):
            raise
        print(textwrap.fill(f"workbench: {error}", 100), file=sys.stderr)
        sys.exit(1)
