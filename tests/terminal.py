"""The command as tests call it: in this process."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from workbench import cli


def run(*arguments: str) -> str:
    """Run the command in this process; return what it printed, errors raised as they are."""
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def fails(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run `main` as the terminal does; return the exit code."""
    monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code
