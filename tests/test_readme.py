"""What the README shows exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

import workbench as wb
from workbench.cli import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_python_is_python_and_its_names_are_public(block: str) -> None:
    compile(block, "README.md", "exec")
    for name in re.findall(r"\bwb\.(\w+)", block):
        assert name in wb.__all__


def test_the_commands_and_their_options_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(r"^workbench (\w+)(.*)$", README, re.MULTILINE)
    assert lines
    for verb, arguments in lines:
        known = {option for entry in commands[verb].params for option in entry.opts}
        assert set(re.findall(r"--[\w-]+", arguments)) <= known


def test_ci_calls_the_test_command() -> None:
    command = 'pip install -e ".[test]" && pytest'
    assert command in README
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_linked_files_are_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
