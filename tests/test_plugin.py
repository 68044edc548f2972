"""Which tests run when, and that a needless skip does not pass for a pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = """
import pytest

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.network
def test_network(): pass
"""
SKIPPED = """
import pytest

def test_quick(): pass

def test_skipped(): pytest.skip({reason!r})
"""


def run(folder: Path, source: str, *options: str, suite: str = "") -> subprocess.CompletedProcess:
    (folder / "test_sample.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  gpu\n  slow\n  browser\n  network\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.plugin", "-p", "no:cacheprovider", *options],
        cwd=folder, capture_output=True, text=True,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "WORKBENCH_TESTS": suite, "PYTEST_ADDOPTS": "",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("suite", "summary"),
    [
        ("", "1 passed, 2 deselected"),
        ("all", "2 passed, 1 deselected"),
        ("all,network", "3 passed"),
    ],
)
def test_the_suites_grow_by_name(tmp_path, suite, summary):
    assert summary in run(tmp_path, SAMPLE, suite=suite).stdout


def test_an_explicit_expression_decides_alone(tmp_path):
    assert "1 passed, 2 deselected" in run(tmp_path, SAMPLE, "-m", "slow").stdout


def test_an_unknown_suite_is_refused(tmp_path):
    result = run(tmp_path, SAMPLE, suite="al")
    assert result.returncode != 0
    assert "use all or network" in result.stderr


@pytest.mark.parametrize(
    ("reason", "suite", "code"),
    [("no Chromium", "all", 1), ("no Chromium", "", 0), ("no CUDA device", "all", 0)],
)
def test_in_the_whole_suite_only_what_the_machine_lacks_may_be_skipped(
    tmp_path, reason, suite, code
):
    result = run(tmp_path, SKIPPED.format(reason=reason), suite=suite)
    assert result.returncode == code
    assert "1 passed, 1 skipped" in result.stdout.splitlines()[-1]
    assert ("this machine could have run it" in result.stdout) == (code == 1)
