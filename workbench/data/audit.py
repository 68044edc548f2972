"""Audit: leaks between the parts of a split, and data that cannot be what they claim."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from workbench.data.doctor import CHECKS, LEVELS, Evidence, Finding, Level
from workbench.data.statistics import NamedStatistics
from workbench.reprs import html_card, html_table, text_table

if TYPE_CHECKING:
    from workbench.data.split import Split

_HEADER = ("level", "check", "what", "chips")


@dataclasses.dataclass(frozen=True, repr=False)
class Audit:
    """All findings, worst first.

    Attributes:
        findings: What was found.
        split: What was checked.
    """

    findings: tuple[Finding, ...]
    split: Split

    @property
    def worst(self) -> Level:
        """The worst level found."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (finding.level, finding.check, str(finding), _shown(finding.chips))
            for finding in self.findings
        ]

    def _title(self) -> str:
        counts = Counter(finding.level for finding in self.findings)
        return "Audit: " + ", ".join(
            f"{counts[level]} {level}" for level in reversed(LEVELS) if counts[level]
        )

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(_HEADER, self._rows())}"

    def _repr_html_(self) -> str:
        return html_card(self._title(), body=html_table(_HEADER, self._rows()))


def _shown(chips: tuple[str, ...]) -> str:
    return ", ".join(chips[:3]) + (f", … ({len(chips)})" if len(chips) > 3 else "")


def audit_split(split: Split, statistics: NamedStatistics | None = None) -> Audit:
    """Check a split for leaks and its data for plausibility with every check of the doctor.

    The pixels of a bounded number of chips are read, once; where there are no images, only what
    the index tells is checked.

    Args:
        split: What to check.
        statistics: What a model will scale the bands by; without it those that the data were
            published with are looked at.
    """
    evidence = Evidence(split, statistics)
    findings = [
        dataclasses.replace(finding, check=name)
        for name, look in CHECKS.items()
        for finding in look(evidence)
    ]
    findings.sort(key=lambda finding: -LEVELS.index(finding.level))
    return Audit(tuple(findings), split)
