"""Differences between two runs, in plain sentences."""

from __future__ import annotations

import pandas as pd

from workbench.data.split import display_name


def sentence(first: str, second: str, rows: pd.DataFrame) -> str:
    """Return what the differences between two runs amount to.

    Args:
        first: The run that was subtracted from.
        second: The run that was subtracted.
        rows: Their rows of `Comparison.differences`.
    """
    # Over several splits a region is trained on in one and held out in another.
    twice = rows.groupby("region")["part"].transform("nunique") > 1
    rows = rows.assign(which=(" (" + rows["part"] + ")").where(twice, ""))
    clauses = []
    ways = (first, second, "better", 1), (second, first, "worse", -1)
    for better, worse, verdict, sign in ways:
        wins = [f"{place} by {_points(row, sign)}"
                for place, row in _by_place(_with(rows, verdict))]
        if wins:
            clauses.append(f"{better} is better than {worse} {_joined(wins)}")
    same = _with(rows, "no difference shown")
    if len(same):
        shown = "no difference shown" if clauses else (
            f"no difference shown between {first} and {second}")
        all_else = clauses and len(same) > 1 and not len(_with(rows, "no verdict"))
        clauses.append(f"{shown} {'elsewhere' if all_else else _places(same)}")
    for why, group in _with(rows, "no verdict").groupby("why", sort=False):
        silent = "no verdict" if clauses else f"no verdict on {first} and {second}"
        clauses.append(f"{silent} {_places(group)} ({why})")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}." if text.startswith("no ") else f"{text}."


def _with(rows: pd.DataFrame, verdict: str) -> pd.DataFrame:
    return rows[rows["verdict"] == verdict]


def _places(rows: pd.DataFrame) -> str:
    return _joined([place for place, _ in _by_place(rows)])


def _by_place(rows: pd.DataFrame) -> list[tuple[str, dict]]:
    """Return each row with its place in words: `held out`, `in Spain`, `Ghana`."""
    found = []
    for row in rows.to_dict("records"):
        if row["region"] == row["part"]:
            found.append((str(row["part"]), row))
        else:
            named = any(other["region"] != other["part"] for _, other in found)
            name = display_name(row["region"]) + row.get("which", "")
            found.append((("" if named else "in ") + name, row))
    return found


def _joined(words: list[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])


def _points(row: dict, sign: int) -> str:
    low, high = sorted((100 * sign * row["low"], 100 * sign * row["high"]))
    return f"{100 * sign * row['difference']:.1f} points [{low:.1f}, {high:.1f}]"
