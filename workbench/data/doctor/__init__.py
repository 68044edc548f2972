"""The data doctor: one file a check, each a function of what was seen that yields findings.

A check is added by a file with a function marked `@check("its name")`. It says nothing where it
has nothing to say, and "looks like" where the data alone cannot tell.
"""

from __future__ import annotations

import importlib
import pkgutil

from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import CHECKS, LEVELS, Finding, Level

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CHECKS", "LEVELS", "Evidence", "Finding", "Level"]
