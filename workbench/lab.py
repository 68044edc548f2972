"""JupyterLab on a copy of the notebooks that travel with the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from workbench.errors import WorkbenchError, need_lab
from workbench.storage import atomic_file, shipped

COPIES = "workbench-notebooks"


def open_lab(folder: Path, *, browser: bool = True, port: int | None = None) -> int:
    """Copy the notebooks into `folder` and run JupyterLab there until it is stopped.

    Args:
        folder: What JupyterLab shows; the copies stand in its folder `workbench-notebooks`.
        browser: Open a browser window; otherwise the address is only printed.
        port: Where to listen; JupyterLab's own choice if not given.

    Returns:
        JupyterLab's exit code.

    Raises:
        MissingExtraError: JupyterLab is not installed.
    """
    need_lab("jupyterlab", "The notebooks", "run `workbench lab` again")
    copies = copy_notebooks(folder / COPIES)
    return subprocess.call(lab_command(folder, copies[0], browser=browser, port=port))


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the shipped notebooks into `folder`; a copy that is already there stays as it is.

    Returns:
        The copies in order of reading.
    """
    copies = []
    for original in sorted(shipped("notebooks").glob("*.ipynb")):
        copy = folder / original.name
        if not copy.exists():
            with atomic_file(copy) as temporary:
                shutil.copyfile(original, temporary)
        copies.append(copy)
    if not copies:
        raise WorkbenchError(
            f"{shipped('notebooks')} holds no notebooks; install workbench again with pip."
        )
    return copies


def lab_command(folder: Path, first: Path, *, browser: bool, port: int | None) -> list[str]:
    """Return the command line of a JupyterLab that only this machine can reach."""
    path = first.relative_to(folder).as_posix()
    command = [
        sys.executable, "-m", "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{path}",
    ]  # fmt: skip
    if port is not None:
        command.append(f"--ServerApp.port={port}")
    if not browser:
        command.append("--no-browser")
    # Containers run as root; on 127.0.0.1 behind a token that is what the user already is.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command
