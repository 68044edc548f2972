"""A finding, and the register of checks that yield them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from workbench.data.doctor.evidence import Evidence

Level = Literal["ok", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "error")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: How bad.
        what: What was found and where; "looks like" where the data alone cannot tell.
        chips: The chips concerned.
        do: What to do about it.
        check: Name of the check that found it.
    """

    level: Level
    what: str
    chips: tuple[str, ...] = ()
    do: str = ""
    check: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.do}" if self.do else self.what


Check = Callable[["Evidence"], Iterable[Finding]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register a check under the name that its findings carry."""

    def register(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return register
