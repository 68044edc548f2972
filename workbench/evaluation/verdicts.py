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
    clauses = [f"{first} is better than {second} {_where(row)} by {_points(row, 1)}"
               for row in _with(rows, "better").to_dict("records")]
    clauses += [f"{second} is better than {first} {_where(row)} by {_points(row, -1)}"
                for row in _with(rows, "worse").to_dict("records")]
    same = _with(rows, "no difference shown")
    if len(same):
        shown = "no difference shown" if clauses else (
            f"no difference shown between {first} and {second}")
        clauses.append(f"{shown} {_places(same)}")
    for why, group in _with(rows, "no verdict").groupby("why", sort=False):
        silent = "no verdict" if clauses else f"no verdict on {first} and {second}"
        clauses.append(f"{silent} {_places(group)} ({why})")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}." if text.startswith("no ") else f"{text}."


def _with(rows: pd.DataFrame, verdict: str) -> pd.DataFrame:
    return rows[rows["verdict"] == verdict]


def _places(rows: pd.DataFrame) -> str:
    totals = [row["region"] for row in rows.to_dict("records") if row["region"] == row["part"]]
    named = [display_name(row["region"]) for row in rows.to_dict("records")
             if row["region"] != row["part"]]
    return " and ".join([*totals, *([f"in {', '.join(named)}"] if named else [])])


def _where(row: dict) -> str:
    if row["region"] == row["part"]:
        return str(row["part"])
    return f"in {display_name(row['region'])}"


def _points(row: dict, sign: int) -> str:
    low, high = sorted((100 * sign * row["low"], 100 * sign * row["high"]))
    return f"{100 * sign * row['difference']:.1f} points [{low:.1f}, {high:.1f}]"
