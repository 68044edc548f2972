"""What is said where the extra `lab` is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """\
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "anywidget" else found(name, *rest)
import workbench as wb
try:
    wb.{name}
except ImportError as error:
    print(isinstance(error, wb.errors.WorkbenchError), error)
"""


@pytest.mark.parametrize("name", ["dashboard", "configure", "pick", "Workbench"])
def test_without_anywidget_every_widget_says_what_to_install(name):
    said = subprocess.run([sys.executable, "-c", WITHOUT.format(name=name)], check=True,
                          capture_output=True, text=True).stdout
    assert said == (
        "True Live views and forms in a notebook need anywidget, which is not installed. Install "
        'it with pip install "workbench[lab]" (in a checkout: pip install -e ".[lab]"), then '
        "restart the kernel.\n"
    )
