"""Errors for people: where, what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable

INSTALL_LAB = 'pip install "workbench[lab]" (in a checkout: pip install -e ".[lab]")'


class WorkbenchError(Exception):
    """Base of every error that the workbench raises on purpose."""


class MissingExtraError(WorkbenchError, ImportError):
    """A package is needed that an extra brings, and the extra is not installed."""


class UnknownNameError(WorkbenchError, ValueError):
    """A name that no registry, dataset or region knows."""


class BandError(WorkbenchError, ValueError):
    """A band is missing, misnamed or in implausible units."""


class DataError(WorkbenchError, ValueError):
    """A file, a chip or a whole dataset cannot be used."""


class DownloadError(WorkbenchError, OSError):
    """A server cannot be reached or refuses, or what came is not the file that was stated."""


class GridError(DataError):
    """CRS, transform or shape of two grids differ, or a grid has no CRS."""


class LabelError(DataError):
    """A mask holds values that are neither a class nor a declared no-label value."""


class SplitError(WorkbenchError, ValueError):
    """A split is empty, overlaps or names a region that does not exist."""


class RecipeError(WorkbenchError, ValueError):
    """A recipe's field is out of range or its parts do not fit each other."""


class WeightsError(WorkbenchError, ValueError):
    """A weight file is missing, truncated, foreign or does not fit the module."""


class RunError(WorkbenchError, RuntimeError):
    """A run folder cannot be read, resumed or evaluated."""


class RunExistsError(RunError, FileExistsError):
    """The run folder is already there."""


class TrainingError(WorkbenchError, RuntimeError):
    """Training cannot go on as its recipe says (for example, the loss is not finite)."""


class OutOfSpaceError(WorkbenchError, OSError):
    """The disk is full, or no more may be written there; what was there before is untouched."""


def unknown_name(kind: str, name: str, known: Iterable[str], listed_by: str) -> UnknownNameError:
    """Make the error for a name that is not known, with the nearest known one.

    Args:
        kind: What the name should name, for example "backbone".
        name: The name as given.
        known: All names that would have been accepted.
        listed_by: The call or place that lists them.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return UnknownNameError(f"No {kind} named {name!r}.{hint} {listed_by} lists all: {shown}.")


def need_lab(package: str, what: str, then: str) -> None:
    """Raise an error that says how to install the extra `lab` if it is not there.

    Args:
        package: The package of the extra that is needed.
        what: What cannot be had without it, as the subject of a sentence in the plural.
        then: What to do once it is installed.

    Raises:
        MissingExtraError: `package` is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            f"{what} need {package}, which is not installed. Install it with {INSTALL_LAB}, "
            f"then {then}."
        )
