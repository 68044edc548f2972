"""Lint and types are tests, so that `pytest` is the only command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def clean(*command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff_finds_nothing():
    clean("ruff", "check", "--quiet", ".")


@pytest.mark.timeout(600)
def test_mypy_finds_nothing():
    clean("mypy")
