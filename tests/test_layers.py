"""Imports go down only, also those inside functions; every module has its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    return subprocess.run(
        [str(command), "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip


def test_imports_go_down_only():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def copied(folder: Path) -> Path:
    shutil.copytree(
        ROOT / "workbench", folder / "workbench", ignore=shutil.ignore_patterns("*.pyc")
    )
    return folder / "workbench"


def test_an_import_upwards_inside_a_function_is_caught(tmp_path):
    with (copied(tmp_path) / "metrics.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    from workbench.runs import Run\n")
    assert "workbench.metrics -> workbench.runs" in lint_imports(tmp_path).stdout


def test_a_new_module_must_be_given_its_place(tmp_path):
    (copied(tmp_path) / "novelty.py").write_text("")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert "novelty" in result.stdout
